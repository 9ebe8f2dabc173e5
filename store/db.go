package store

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// DB is a store that is open for writing. Its methods may be called from any
// number of goroutines.
type DB struct {
	// Locks are taken in this order: ioMu, mu, spare.mu or view.rw. The sealer's
	// own lock is taken last, and nothing is locked under it.

	view // what readers see; changed when a commit is published

	fs     vfs.FS
	opt    Options
	lock   vfs.Lock
	report OpenReport

	// ioMu serializes what happens to the newest log's file: writes, syncs,
	// rolls.
	ioMu   sync.Mutex
	newest *log // the newest log that has a byte in its file

	// Guarded by ioMu, too: what a leader knows of the group before its own.
	crowd    int           // the commits in it
	syncTook time.Duration // the last sync of a log
	patience time.Duration // how long leaders may still wait for a crowd, see await

	looked time.Time // when the newest log was last looked for, see look; guarded by ioMu, too

	// mu guards the order of commits, and what they share.
	commits
	spare spare

	few      *vfs.Handles // of sealed files, see segFile.ownSealed
	sealer   *sealer
	scrubber *scrubber // or nil
	keeper   waker
	flusher  waker
	stop     chan struct{}
	workers  sync.WaitGroup // keeper, flusher, scrubber, and who heeds requests
	sealed   sync.WaitGroup // sealer
	awake    atomic.Bool    // the keeper looks again by itself

	written  atomic.Int64 // bytes to logs since the open
	gauges   gauges
	lastSync atomic.Int64 // ns since 1970; zero: none
}

// commits is the state that commits share.
type commits struct {
	mu       sync.Mutex
	room     *sync.Cond   // commits may be admitted that were not
	log      *log         // where commits go
	queue    []*group     // not in the file yet, in order; only the last takes commits
	queued   atomic.Int64 // bytes in it; changed under mu
	held     int64        // bytes of memory that it takes
	free     [][]byte     // buffers for groups
	nextSeq  uint64
	lastTime int64
	clock    clock
	nextID   segment.ID
	live     segment.Set // the set without the log
	closing  bool        // no commit is admitted any more
	err      error       // every commit's answer, once the log failed or the store is closed
	full     bool        // puts are refused: there is no room to reserve
	stuck    error       // the disk is so full that queue cannot be written

	// Of a buffered store: when the oldest commit was made that no sync has
	// begun for, and that of the sync at work.
	unsynced time.Time
	syncing  time.Time
}

// OpenReport returns what Open found and did.
func (db *DB) OpenReport() OpenReport { return db.report }

// Sync has everything on the disk that was committed before the call. With
// SyncAlways there is nothing to do.
func (db *DB) Sync() error {
	if db.isClosed() {
		return ErrClosed
	}
	if err := db.failed(); err != nil {
		return err
	}
	db.ioMu.Lock()
	defer db.ioMu.Unlock()
	err := db.drain(true)
	db.wakeKeeper()
	return err
}

// Seal ends the newest log, if it holds objects or deletions, and returns when it
// is sealed. It reports whether there was anything to seal.
func (db *DB) Seal() (bool, error) {
	if db.isClosed() {
		return false, ErrClosed
	}
	db.ioMu.Lock()
	db.mu.Lock()
	l := db.log
	if db.err != nil || l.data == 0 {
		err := db.err
		db.mu.Unlock()
		db.ioMu.Unlock()
		return false, err
	}
	db.roll(0)
	db.mu.Unlock()
	err := db.drain(true)
	db.ioMu.Unlock()
	db.wakeKeeper()
	if err != nil {
		return false, err
	}
	return true, db.sealer.wait(l)
}

// isClosed reports whether Close was called.
func (db *DB) isClosed() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.closing
}

// Close has everything on the disk, seals what can be sealed and lets go of the
// store. Every call after it says ErrClosed, but for those that run already.
// Snapshots stay good until they are closed themselves. The error says what could
// not be done; the store is closed all the same.
func (db *DB) Close() error {
	if !db.beginClose() {
		return ErrClosed
	}
	close(db.stop)
	db.workers.Wait()
	db.ioMu.Lock()
	defer db.ioMu.Unlock()
	err := db.shut()
	err = errors.Join(err, db.dropSpare(), db.sealer.finish())
	db.mu.Lock()
	if db.err == nil {
		db.err = ErrClosed
	}
	left := db.unsealed()
	db.mu.Unlock()
	for _, l := range left {
		l.sf.own(l.f)
	}
	m := db.Metrics()
	db.gauges.last.Store(&m)
	db.view.close()
	return errors.Join(err, db.lock.Close())
}

// beginClose lets no commit in any more; those that are in will be written. It
// reports false if that was done before.
func (db *DB) beginClose() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closing {
		return false
	}
	db.closing = true
	db.room.Broadcast()
	return true
}

// unsealed returns the logs whose files are open for writing: those that could
// not be sealed, the newest, and what was about to be begun. The caller holds
// ioMu and mu, and the sealer has ended.
func (db *DB) unsealed() []*log {
	logs := slices.Clone(db.sealer.late)
	add := func(l *log) {
		if l.f != nil && !l.ended && !slices.Contains(logs, l) {
			logs = append(logs, l)
		}
	}
	add(db.newest)
	add(db.log)
	for _, g := range db.queue {
		add(g.log)
	}
	return logs
}

// shut ends the newest log in order: a large one is rolled and sealed, so that
// little is left to read at the next open, and the last records say that the
// store was closed. A store that was not written to is left as it is.
func (db *DB) shut() error {
	if err := db.failed(); err != nil {
		return err
	}
	db.mu.Lock()
	if len(db.queue) == 0 && !db.newest.touched {
		db.mu.Unlock()
		return nil
	}
	if l := db.log; l.data > 0 && l.end-l.head > db.opt.SegmentSize/8 && l.touched {
		db.roll(0)
	}
	db.mu.Unlock()
	if err := db.drain(true); err != nil {
		return err
	}
	l := db.newest
	if err := db.lookNow(l); err != nil {
		return err
	}
	id, err := l.f.Identity()
	if err != nil {
		return err
	}
	off := l.end
	var b []byte
	for range 2 { // twice, so that one damaged byte does not make the close unclean
		r := segment.Record{Seq: db.nextSeq, Time: db.tick(time.Now()), Vouch: off}
		r.SetClose(id.Inode, id.Birth)
		b = l.seed.AppendRecord(b, off+int64(len(b)), &r)
	}
	if err := db.write(l, b, off); err != nil {
		return err
	}
	if err := db.syncLog(l); err != nil {
		return err
	}
	err = l.f.Release()
	db.witness(l, off)
	return err
}

// witness says in the lock file that a log was closed, and was on the disk up to off: all
// of that is synced. Without it less can be proved at the next open, and nothing is
// lost; so a disk that is too full for it, say, is no error of the close.
func (db *DB) witness(l *log, off int64) {
	w := &segment.Witness{UUID: l.hdr.UUID, Ref: l.hdr.Ref, Offset: off, LastSeq: db.nextSeq - 1, Time: db.lastTime}
	if id, err := l.f.Identity(); err == nil {
		w.Changed = id.Changed
	}
	err := integrity.WriteWitness(db.lock, w)
	if err == nil {
		err = db.fs.SyncDir(".") // the lock file's name, which an open may have made and not synced
	}
	if err != nil {
		db.opt.Logger.Warn("the store is closed, and its lock file does not say so", "err", err)
	}
}
