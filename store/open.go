package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Open opens the store in the folder dir for writing, and creates it where the
// folder is absent or empty, unless Options.MustExist. The parent must be
// there. Options may be nil.
//
// After a crash, or on a copy, it recovers: see [DB.OpenReport] for what it
// found and did. Errors that a caller can act on wrap ErrLocked, ErrNotStore,
// ErrMissing, ErrLostLog, ErrVersion, ErrDiskFull or ErrIndexTooLarge, or are a
// *CorruptError; after the latter nothing has been touched. A *MissingError and a *CorruptError
// name the archives that have the segments, where receipts in the folder know it.
func Open(dir string, o *Options) (*DB, error) {
	opt, err := o.resolved()
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return openFS(vfs.Dir(dir), opt)
}

// folder makes sure that the store's folder is there, and makes it where it may.
func folder(fsys vfs.FS, mustExist bool) error {
	err := isFolder(fsys)
	if _, absent := errors.AsType[*absentError](err); absent && !mustExist {
		return fsys.Mkdir(".")
	}
	return err
}

// openFS is Open in a folder of a file system.
func openFS(fsys vfs.FS, opt Options) (_ *DB, err error) {
	db := newDB(fsys, opt)
	rep := &db.report
	rep.begin()
	if err := folder(fsys, opt.MustExist); err != nil {
		return nil, err
	}
	// A first look at the names, so that a folder of something else gets no LOCK.
	s, err := integrity.List(fsys)
	if err != nil {
		return nil, err
	}
	if err := mayCreate(s, opt.MustExist); err != nil {
		return nil, orArchive(fsys, err)
	}
	if err := db.takeLock(); err != nil {
		return nil, vfs.TooManyFiles(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(receipt.WhoHas(fsys, err), db.abandon())
		}
	}()
	rep.phase("names", 0, 0)
	rep.Path, rep.Asked, rep.Level = fsys.Path("."), opt.Integrity, opt.Integrity
	if s, err = integrity.Survey(fsys); err != nil {
		return nil, err
	}
	rep.phase("headers", int64(len(s.Files)), 0)
	l, err := db.openLog(s)
	if err != nil {
		return nil, err
	}
	rep.UUID, rep.Timeline = l.hdr.UUID, l.hdr.Ref.Timeline
	rep.Objects, rep.Segments, rep.LastSeq = int64(db.idx.Len()), len(db.segs), l.sf.last.Load()
	db.begin(l)
	rep.phase("rest", 0, 0)
	rep.log(opt.Logger)
	return db, nil
}

func newDB(fsys vfs.FS, opt Options) *DB {
	db := &DB{fs: fsys, opt: opt, keeper: newWaker(), flusher: newWaker(), stop: make(chan struct{}), few: newHandles(fsys)}
	db.room = sync.NewCond(&db.mu)
	db.sealer = &sealer{db: db}
	db.sealer.cond = sync.NewCond(&db.sealer.mu)
	return db
}

// mayCreate refuses a folder in which no store can be and none should be made.
func mayCreate(s *integrity.Inventory, mustExist bool) error {
	switch {
	case !s.None():
		return nil
	case s.Restoring: // told once the lock tells whether it is at work
		return nil
	case len(s.Others) > 0:
		return fmt.Errorf("%s: holds %s and no segment: %w", s.FS.Path("."), shortList(s.Others), ErrNotStore)
	case s.Traces:
		return fmt.Errorf("%s: holds traces of a store and no segment: %w", s.FS.Path("."), ErrMissing)
	case mustExist:
		return noStore(s.FS.Path("."))
	}
	return nil
}

// takeLock makes this process the writer.
func (db *DB) takeLock() error {
	holder := fmt.Sprintf("pid %d, since %s", os.Getpid(), time.Now().UTC().Format(time.RFC3339))
	lock, other, err := db.fs.Lock(segment.LockName, holder)
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
		db.setFull(true) // until the first put has set room aside
	}
	db.gauges.fileBytes.Store(sizeOfAll(db.segs))
	db.gauge()
	db.workers.Add(2)
	go db.keep()
	go db.heed()
	if db.buffered() {
		db.workers.Add(1)
		go db.flush()
	}
	db.sealed.Add(1)
	go db.sealer.run()
	if db.opt.Scrub.Rate > 0 {
		db.scrubber = &scrubber{db: db, tried: map[segment.Ref]time.Time{}}
		db.workers.Add(1)
		go db.scrubber.run()
	}
	if !l.marked || l.data > 0 && db.opt.MaxSegmentAge > 0 {
		db.wakeKeeper()
	}
}

// openLog builds the index and returns the log that commits will go to.
func (db *DB) openLog(s *integrity.Inventory) (*log, error) {
	rep := &db.report
	if s.None() {
		return db.createLogFrom(s)
	}
	st, err := resolveState(s, &db.opt, false)
	if err != nil {
		return nil, err
	}
	defer st.Close() // the parts are the view's by then
	rep.Clock = st.ClockJumps(time.Now())
	rep.phase("footers", int64(len(st.Parts)), 0)
	if err := st.LostError(); err != nil && !db.opt.AcceptLostLog {
		return nil, err
	}
	if st.Lost {
		rep.Lost = &st.V.Successor
	}
	if st.Short != nil {
		rep.Notes = append(rep.Notes, fmt.Sprintf("the loss is accepted: %v", st.Short))
	}
	rep.Clean = st.Clean
	rep.Level = st.taken(db.opt.Integrity)
	if err := st.verify(&db.opt, rep); err != nil {
		return nil, err
	}
	if err := st.buildIndex(&db.view, &db.opt, rep); err != nil {
		return nil, err
	}
	db.nextID = max(st.Newest.Header.NextID, s.MaxID+1, st.V.Successor.ID+1) // the latter may be lost, and may come back
	db.live = st.Live
	db.lastTime = max(st.V.LastTime, st.Newest.Header.Time)
	if err := db.cleanUp(st); err != nil {
		return nil, err
	}
	rep.phase("leftovers", 0, 0)
	var l *log
	if st.Clean {
		l, err = db.resume(st)
	} else {
		l, err = db.recover(st, rep)
	}
	if err != nil {
		return nil, err
	}
	for i := range rep.Clock {
		if rep.Clock[i].Segment == l.hdr.Replaced {
			rep.Clock[i].Segment = l.hdr.Ref // its records are in the new log
		}
	}
	err = tooLarge(db.idx.Memory().Heap, db.opt.MaxIndexBytes)
	if err == nil {
		err = st.verifyIndex(&db.view, l.sf, l.end, &db.opt, rep)
	}
	if err == nil {
		err = db.clear(st)
	}
	if err != nil {
		return nil, errors.Join(err, l.f.Close())
	}
	return l, nil
}

// createLogFrom makes the store in a folder that holds none.
func (db *DB) createLogFrom(s *integrity.Inventory) (*log, error) {
	if s.Restoring {
		return nil, s.NoStore()
	}
	if w := s.Witness; w != nil {
		return nil, fmt.Errorf("%s: %s tells of a store that was closed here at %s, and no segment is there: %w; bring them back, or remove %s to begin a new store",
			s.FS.Path("."), segment.LockName, time.Unix(0, w.Time).UTC().Format(time.RFC3339), ErrMissing, segment.LockName)
	}
	if err := db.remove(s.Tmps...); err != nil {
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
func (db *DB) resume(st storeState) (*log, error) {
	db.view.add(st.log())
	if err := st.replay(&db.view, st.log(), &db.report); err != nil {
		return nil, err
	}
	f, err := db.fs.OpenWrite(st.Newest.Name)
	if err != nil {
		return nil, err
	}
	l := db.newLog(st.R.Header, st.R.HeaderSize)
	// The sync of the close may have failed, though its records can be read.
	l.again = make([]byte, st.V.End-st.V.Durable)
	if _, err := st.log().ReadAt(l.again, st.V.Durable); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// Readers go on with the handle they have for what is there, and take the new
	// one, whose map has room, for what comes.
	next := newSource(f, max(l.limit, st.V.End), false)
	next.older = st.log().src.Load()
	st.log().src.Store(next)
	st.log().unwritten = db.unwritten
	st.log().last.Store(st.V.NextSeq - 1)
	l.sf, l.name, l.f = st.log(), st.Newest.Name, f
	l.begun = time.Unix(0, st.Newest.Header.Time)
	l.end, l.data, l.synced, l.marked = st.V.End, st.V.Records, st.V.Durable, true
	return l, nil
}
