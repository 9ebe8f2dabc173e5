package store

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/varve-db/varve/index"
)

// publish shows the changes of a group to readers. A batch is shown whole. The caller
// holds db.mu or db.ioMu, so that groups are published in the order of the log.
func (db *DB) publish(g *group) {
	if len(g.pending) == 0 {
		return
	}
	v := &db.view
	v.rw.Lock()
	g.log.sf.last.Store(g.pending[len(g.pending)-1].seq) // before a reader can find the record
	place := g.place
	for i := range g.pending {
		v.applyAt(&g.pending[i], place)
		place = index.Place{} // the change may have moved what the others found
	}
	v.rw.Unlock()
	clear(g.pending)
	g.pending = g.pending[:0]
}

// drain writes the groups that wait, in order, and with sync has all that was
// ever committed on the disk; without, it leaves the group that is still being
// filled. Who waits is told. The caller holds db.ioMu.
func (db *DB) drain(sync bool) error {
	gs := db.take(sync)
	n, err := 0, db.failed() // who waited for ioMu while the log failed is told so
	for err == nil && n < len(gs) {
		if err = db.writeGroup(gs[n]); err == nil {
			n++
		}
	}
	if sync && (err == nil || isFull(err)) {
		// Logs before the newest were synced when they were ended.
		err = errors.Join(err, db.syncLog(db.newest))
	}
	if err != nil && !isFull(err) {
		err = db.poison(err)
	}
	db.finish(gs, n, sync, err)
	db.gauge()
	return err
}

// isFull reports whether err tells of a full disk and of nothing worse: what
// could not be written is kept.
func isFull(err error) bool {
	return errors.Is(err, ErrDiskFull) && !errors.Is(err, ErrPoisoned)
}

// take closes waiting groups to further commits and returns them: all, or those
// that are full.
func (db *DB) take(all bool) []*group {
	db.mu.Lock()
	defer db.mu.Unlock()
	n := 0
	for n < len(db.queue) && (all || db.queue[n].taken) {
		db.queue[n].taken = true
		n++
	}
	if all {
		db.syncing, db.unsynced = earlier(db.syncing, db.unsynced), time.Time{}
	}
	return slices.Clone(db.queue[:n])
}

// maxUnsynced bounds what a log holds beyond its newest mark, so that the
// distance fits its field.
const maxUnsynced = 1 << 30

// writeGroup writes one group to its log, which it may begin. Its first record
// says how far the log is synced.
func (db *DB) writeGroup(g *group) error {
	if g.starts && g.log.sf.src.Load() == nil {
		if err := db.startLog(g.log); err != nil {
			return err
		}
	}
	if g.off-g.log.synced > maxUnsynced {
		if err := db.syncLog(g.log); err != nil {
			return err
		}
	}
	if len(g.buf) > g.records {
		db.mu.Lock() // readers of what is not written yet look into buf
		g.log.seed.SetVouch(g.buf[g.records:], g.off+int64(g.records), g.log.synced)
		db.mu.Unlock()
	}
	if err := db.write(g.log, g.buf, g.off); err != nil {
		return err
	}
	db.newest = g.log
	return nil
}

// finish publishes the first n groups and takes them from the queue; synced says
// that they, and all before them, are on the disk unless err says otherwise. On a full
// disk the others stay there to be written again; after any other error
// all of them have failed.
func (db *DB) finish(gs []*group, n int, synced bool, err error) {
	full := isFull(err)
	failed := err != nil && !full
	if !failed {
		for _, g := range gs[:n] {
			db.publish(g)
		}
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.stuck = nil
	if full {
		db.stuck = err
	} else if synced {
		db.syncing = time.Time{}
	}
	db.setFull(db.full || full)
	for i, g := range gs {
		if i < n && !failed {
			g.tell(nil)
		} else {
			g.tell(err)
		}
	}
	if failed {
		db.room.Broadcast()
		return // the groups stay for readers of what was never written
	}
	for _, g := range gs[:n] {
		db.queued.Add(-int64(len(g.buf) - g.records))
		db.held -= g.memory()
		db.recycle(g)
	}
	db.queue = append(db.queue[:0], db.queue[n:]...)
	db.room.Broadcast()
}

// tell wakes those who wait for the group, once: after a full disk they have
// gone when the group is written at last.
func (g *group) tell(err error) {
	if g.done == nil || g.told {
		return
	}
	g.err, g.told = err, true
	close(g.done)
}

// poison makes err the answer to every commit from now on, and returns it.
func (db *DB) poison(err error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.err == nil {
		db.err = err
		if !errors.Is(err, ErrPoisoned) {
			db.err = fmt.Errorf("%w: %w", ErrPoisoned, err)
		}
		db.room.Broadcast() // who waits for room waits for nothing
		db.opt.Logger.Error("log failed; nothing is acknowledged any more", "err", err)
	}
	return db.err
}
