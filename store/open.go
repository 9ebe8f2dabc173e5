package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
)

// Open opens the store in the folder dir for writing, and creates it where the
// folder is absent or empty, unless Options.MustExist. The parent must be
// there. Options may be nil.
//
// After a crash, or on a copy, it recovers: see [DB.OpenReport] for what it
// found and did. Errors that a caller can act on wrap ErrLocked, ErrNotStore,
// ErrMissing, ErrLostLog, ErrVersion, ErrDiskFull or ErrIndexTooLarge, or are a
// *CorruptError; after the latter nothing has been touched.
func Open(dir string, o *Options) (*DB, error) {
	opt, err := o.resolved()
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	fsys := vfs.Dir(dir)
	if err := folder(dir, fsys, opt.MustExist); err != nil {
		return nil, err
	}
	return openFS(fsys, opt)
}

// folder makes sure that the store's folder is there.
func folder(dir string, fsys vfs.FS, mustExist bool) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("%s: is a file; a store is a folder: %w", dir, ErrNotStore)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case mustExist:
		return noStore(dir)
	}
	return fsys.Mkdir(".")
}

// openFS is Open on a folder that is there.
func openFS(fsys vfs.FS, opt Options) (_ *DB, err error) {
	start := time.Now()
	// A first look at the names, so that a folder of something else gets no LOCK.
	s, found, err := list(fsys)
	if err != nil {
		return nil, err
	}
	if err := s.mayCreate(len(found) == 0, opt.MustExist); err != nil {
		return nil, err
	}
	db := newDB(fsys, opt)
	if err := db.takeLock(); err != nil {
		return nil, tooManyFiles(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.abandon())
		}
	}()
	rep := &db.report
	rep.Path, rep.Asked, rep.Level = fsys.Path("."), opt.Integrity, opt.Integrity
	if s, err = look(fsys); err != nil {
		return nil, err
	}
	rep.phase("headers", start, int64(len(s.files)), 0)
	l, err := db.openLog(s)
	if err != nil {
		return nil, err
	}
	rep.UUID, rep.Timeline = l.hdr.UUID, l.hdr.Ref.Timeline
	rep.Objects, rep.Segments, rep.LastSeq = int64(db.idx.Len()), len(db.segs), l.sf.last.Load()
	rep.Took = time.Since(start)
	db.begin(l)
	rep.log(opt.Logger)
	return db, nil
}

func newDB(fsys vfs.FS, opt Options) *DB {
	db := &DB{fs: fsys, opt: opt, keeper: newWaker(), flusher: newWaker(), stop: make(chan struct{})}
	db.room = sync.NewCond(&db.mu)
	db.sealer = &sealer{db: db}
	db.sealer.cond = sync.NewCond(&db.sealer.mu)
	return db
}

// mayCreate refuses a folder in which no store can be and none should be made.
func (s *survey) mayCreate(none, mustExist bool) error {
	switch {
	case !none:
		return nil
	case len(s.others) > 0:
		return fmt.Errorf("%s: holds %s and no segment: %w", s.fs.Path("."), shortList(s.others), ErrNotStore)
	case s.spoor:
		return fmt.Errorf("%s: holds traces of a store and no segment: %w", s.fs.Path("."), ErrMissing)
	case mustExist:
		return noStore(s.fs.Path("."))
	}
	return nil
}

// takeLock makes this process the writer.
func (db *DB) takeLock() error {
	holder := fmt.Sprintf("pid %d, since %s", os.Getpid(), time.Now().UTC().Format(time.RFC3339))
	lock, other, err := db.fs.Lock(lockName, holder)
	if errors.Is(err, vfs.ErrLocked) {
		if other == "" {
			other = "another process"
		}
		return fmt.Errorf("%s: %w by %s; close it there, or open read-only", db.fs.Path("."), ErrLocked, other)
	}
	db.lock = lock
	return err
}

// abandon lets go of what a failed open holds.
func (db *DB) abandon() error {
	db.view.close()
	return db.lock.Close()
}

// begin starts the work on the newest log.
func (db *DB) begin(l *log) {
	db.log, db.newest = l, l
	db.nextSeq = l.sf.last.Load() + 1
	if n, err := db.fs.Free(); err == nil && n/4 < minReserve {
		db.full = true // until the first put has set room aside
	}
	db.workers.Add(1)
	go db.keep()
	if db.buffered() {
		db.workers.Add(1)
		go db.flush()
	}
	db.sealed.Add(1)
	go db.sealer.run()
	if !l.marked || l.data > 0 && db.opt.MaxSegmentAge > 0 {
		db.wakeKeeper()
	}
}

// openLog builds the index and returns the log that commits will go to.
func (db *DB) openLog(s *survey) (*log, error) {
	rep := &db.report
	if s.none() {
		return db.createLogFrom(s)
	}
	st, err := s.stand(db.opt.Integrity, false)
	if err != nil {
		return nil, err
	}
	defer st.sf.unpin()
	defer func() { // the parts are the view's
		for _, p := range st.parts {
			p.sf.unpin()
		}
	}()
	if st.lost && !db.opt.AcceptLostLog {
		return nil, fmt.Errorf("%s: %w: %s; bring it back from a copy, or accept the loss (AcceptLostLog)",
			rep.Path, ErrLostLog, st.v.Successor)
	}
	rep.Clean = st.clean
	if !st.clean {
		rep.Level = integrity.Log // Judge took it by itself
	}
	if err := st.buildIndex(&db.view, &db.opt, rep); err != nil {
		return nil, err
	}
	db.nextID = max(st.newest.hdr.NextID, s.maxID+1, st.v.Successor.ID+1) // the latter may be lost, and may come back
	db.live = st.live
	db.lastTime = max(st.v.LastTime, st.newest.hdr.Time)
	if err := db.tidy(st); err != nil {
		return nil, err
	}
	var l *log
	if st.clean {
		l, err = db.resume(st)
	} else {
		l, err = db.recover(st, rep)
	}
	if err != nil {
		return nil, err
	}
	err = tooLarge(db.idx.Memory().Heap, db.opt.MaxIndexBytes)
	if err == nil {
		err = db.clear(st)
	}
	if err != nil {
		return nil, errors.Join(err, l.f.Close())
	}
	return l, nil
}

// createLogFrom makes the store in a folder that holds none.
func (db *DB) createLogFrom(s *survey) (*log, error) {
	if err := db.remove(s.tmps...); err != nil {
		return nil, err
	}
	l, err := db.create()
	if err != nil {
		return nil, err
	}
	if err := db.view.empty(l.sf); err != nil {
		return nil, err
	}
	db.nextID = l.hdr.NextID
	db.report.Created = true
	return l, nil
}

// resume opens the newest log, which was closed in order, to go on with it.
func (db *DB) resume(st *standing) (*log, error) {
	db.view.add(st.sf)
	if err := st.replay(&db.view, &db.report); err != nil {
		return nil, err
	}
	f, err := db.fs.OpenWrite(st.newest.name)
	if err != nil {
		return nil, err
	}
	l := db.newLog(st.newest.hdr, st.r.HeaderSize)
	// The sync of the close may have failed, though its records can be read.
	l.again = make([]byte, st.v.End-st.v.Durable)
	if _, err := st.sf.ReadAt(l.again, st.v.Durable); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// Readers go on with the handle they have for what is there, and take the new
	// one, whose map has room, for what comes.
	next := newSource(f, max(l.limit, st.v.End), false)
	next.older = st.sf.src.Load()
	st.sf.src.Store(next)
	st.sf.unwritten = db.unwritten
	st.sf.last.Store(st.v.NextSeq - 1)
	l.sf, l.name, l.f = st.sf, st.newest.name, f
	l.begun = time.Unix(0, st.newest.hdr.Time)
	l.end, l.data, l.synced, l.marked = st.v.End, st.v.Records, st.v.Durable, true
	return l, nil
}
