package store

import (
	"time"
)

// maxHeld is how much memory a store with SyncEvery takes for what is committed and not
// written yet before a commit waits: enough to go on while a log of 64 MiB is synced and
// the next one begun. One commit may go beyond it, by its own size.
const maxHeld = 64 << 20

// buffered reports whether commits return before they are on the disk.
func (db *DB) buffered() bool { return db.opt.Durability.every != 0 }

// mustWait reports whether a buffered commit has to wait for the disk: too much
// is unwritten, or the oldest commit not on the disk nears the promised time.
// The caller holds db.mu.
func (db *DB) mustWait(now time.Time) bool {
	if db.held > maxHeld {
		return true
	}
	since := earlier(db.syncing, db.unsynced)
	every := db.opt.Durability.every
	return !since.IsZero() && now.Sub(since) > every-every/8
}

// keepGroup notes a commit that was put into g and will be written later. The
// caller holds db.mu.
func (db *DB) keepGroup(g *group, now time.Time) {
	if db.unsynced.IsZero() {
		db.unsynced = now
		db.flusher.wake()
	}
	if len(g.buf) >= groupSize {
		g.taken = true
		db.flusher.wake()
	}
}

// flush is the goroutine of a buffered store that writes groups as they fill,
// and syncs at half the promised time after the oldest commit.
func (db *DB) flush() {
	defer db.workers.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-db.stop:
			return
		case <-db.flusher:
		case <-timer.C:
		}
		timer.Reset(db.flushOnce(time.Now()))
	}
}

// flushOnce does what is due and returns the time until something else is.
func (db *DB) flushOnce(now time.Time) time.Duration {
	half := db.opt.Durability.every / 2
	db.mu.Lock()
	since := earlier(db.syncing, db.unsynced)
	full := len(db.queue) > 0 && db.queue[0].taken
	idle := db.err != nil || db.stuck != nil // the keeper tries again
	db.mu.Unlock()
	if idle {
		return time.Hour
	}
	due := !since.IsZero() && now.Sub(since) >= half
	if due || full {
		db.ioMu.Lock()
		db.drain(due) //nolint: the error sticks, or the keeper tries again
		db.ioMu.Unlock()
		db.wakeKeeper()
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	since = earlier(db.syncing, db.unsynced)
	if since.IsZero() {
		return time.Hour
	}
	return max(time.Until(since.Add(half)), 0)
}

// unwritten copies bytes of the log that are still in memory to dst. It reports
// false if they are not, any more.
func (db *DB) unwritten(f *segFile, off int64, dst []byte) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, g := range db.queue {
		if g.log.sf == f && off >= g.off && off+int64(len(dst)) <= g.off+int64(len(g.buf)) {
			copy(dst, g.buf[off-g.off:])
			return true
		}
	}
	return false
}

// earlier returns the earlier of two times; the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// waker wakes a goroutine that may be at work already.
type waker chan struct{}

func newWaker() waker { return make(waker, 1) }

func (w waker) wake() {
	select {
	case w <- struct{}{}:
	default:
	}
}
