package store

import (
	"errors"
	"time"

	"github.com/varve-db/varve/segment"
)

// Times of the keeper. A mark is written within 50 ms of the last sync of a
// store that has gone idle.
const (
	markAfter  = 25 * time.Millisecond
	retryAfter = 250 * time.Millisecond // after a full disk
)

// keep is the goroutine that does what no commit does: it prepares the next log,
// writes the mark of an idle store, seals a log by age, and tries again what a
// full disk held up.
func (db *DB) keep() {
	defer db.workers.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-db.stop:
			return
		case <-db.keeper:
		case <-timer.C:
		}
		timer.Reset(db.tend())
		db.gauge()
	}
}

// tend does what is due and returns the time until it should look again.
func (db *DB) tend() time.Duration {
	db.mu.Lock()
	failed, stuck := db.err != nil, db.stuck != nil
	db.mu.Unlock()
	if failed {
		return time.Hour
	}
	next := time.Hour
	if err := db.prepare(); err != nil {
		if !errors.Is(err, ErrDiskFull) {
			db.opt.Logger.Warn("cannot prepare the next log", "err", err)
		}
		next = retryAfter
	}
	if stuck {
		db.ioMu.Lock()
		err := db.drain(true)
		db.ioMu.Unlock()
		if err != nil {
			return retryAfter
		}
	}
	if age := db.opt.MaxSegmentAge; age > 0 {
		next = min(next, db.tendAge(age))
	}
	return min(next, db.tendMark())
}

// tendAge rolls the log if it holds objects and is old enough.
func (db *DB) tendAge(age time.Duration) time.Duration {
	db.ioMu.Lock()
	defer db.ioMu.Unlock()
	db.mu.Lock()
	left, data := time.Until(db.log.begun.Add(age)), db.log.data
	if data == 0 {
		db.mu.Unlock()
		return time.Hour // who commits wakes the keeper
	}
	if left > 0 {
		db.mu.Unlock()
		return left
	}
	db.roll(0)
	db.mu.Unlock()
	if db.drain(true) != nil {
		return retryAfter
	}
	return age
}

// tendMark writes a mark if nothing was committed for a while, so that the last
// commits are known to be on the disk. It returns the time until it may be due.
func (db *DB) tendMark() time.Duration {
	db.ioMu.Lock()
	defer db.ioMu.Unlock()
	l := db.newest
	if db.look(l, time.Now()) != nil {
		return time.Hour // nothing is due in a log that failed
	}
	if l.marked {
		db.awake.Store(false) // who commits from now on wakes it
		return time.Hour
	}
	if wait := markAfter - time.Since(time.Unix(0, db.lastSync.Load())); wait > 0 && db.lastSync.Load() != 0 {
		return wait
	}
	if db.buffered() && l.synced < l.sf.size.Load() {
		return markAfter // the flusher syncs it
	}
	if err := db.writeMark(l); err != nil {
		return retryAfter
	}
	return markAfter
}

// writeMark writes and syncs a mark, after the sync of what it vouches for. It
// does nothing while commits wait: theirs will do. The caller holds db.ioMu.
func (db *DB) writeMark(l *log) error {
	if err := db.syncLog(l); err != nil {
		return err
	}
	db.mu.Lock()
	if len(db.queue) > 0 || db.log != l {
		db.mu.Unlock()
		return nil
	}
	off := l.end
	r := segment.Record{Kind: segment.Mark, Flags: segment.FlagCommit | segment.FlagVouch, Seq: db.nextSeq, Time: db.tick(time.Now()), Vouch: off}
	b := l.seed.AppendRecord(nil, off, &r)
	g := &group{log: l, off: off, buf: b, records: len(b), taken: true}
	l.end += int64(len(b))
	db.queue = append(db.queue, g)
	db.mu.Unlock()
	if err := db.drain(true); err != nil {
		return err
	}
	l.marked = l.sf.size.Load() == off+int64(len(b)) // else commits came in between
	return nil
}

// wakeKeeper wakes the keeper unless it is awake: it costs a commit one load.
func (db *DB) wakeKeeper() {
	if !db.awake.Load() && db.awake.CompareAndSwap(false, true) {
		db.keeper.wake()
	}
}
