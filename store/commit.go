package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/segment"
)

// Put stores value under key, replacing what is there. Both are copied before
// it returns. When it returns without error, the object is as safe as
// Options.Durability says.
//
// An error that wraps ErrTooLarge or ErrClosed, or a DiskFullError that is not
// Kept, means that nothing was written. After any other error, ErrPoisoned
// among them, the object may or may not be there when the store is opened again.
func (db *DB) Put(key, value []byte) error {
	recs := [1]segment.Record{{Kind: segment.Put, Key: key, Value: value}}
	return db.commit(recs[:])
}

// PutObject is Put with meta and content kind; Seq is ignored.
func (db *DB) PutObject(o Object) error {
	r, err := o.Record()
	if err != nil {
		return err
	}
	recs := [1]segment.Record{r}
	return db.commit(recs[:])
}

// Delete removes key. A key that is not there is no error, and nothing is
// written for it. Errors are those of Put.
func (db *DB) Delete(key []byte) error {
	there, err := db.Has(key)
	switch {
	case segment.IsCorrupt(err): // in a segment that cannot be read, perhaps: then it is gone, too
	case err != nil:
		return err
	case !there:
		return db.absent()
	}
	recs := [1]segment.Record{{Kind: segment.Delete, Key: key}}
	return db.commit(recs[:])
}

// absent is the answer to the deletion of a key that is not there. While puts
// are kept that may yet come to pass, nobody can say so.
func (db *DB) absent() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.err == nil && db.stuck != nil {
		return refused(db.stuck)
	}
	return db.err
}

// Apply makes the changes of b, in order and as one. b may be used again
// afterwards. An empty batch does nothing. Errors are those of Put.
func (db *DB) Apply(b *Batch) error {
	if len(b.recs) == 0 {
		return db.failed()
	}
	for i := range b.recs { // from an earlier Apply
		b.recs[i].Flags &^= segment.FlagCommit | segment.FlagVouch
	}
	return db.commit(b.recs)
}

// commit writes recs as one batch and waits until they are as safe as promised.
func (db *DB) commit(recs []segment.Record) error {
	put := false // needs room
	for i := range recs {
		if err := recs[i].Check(); err != nil {
			return err
		}
		put = put || recs[i].Kind == segment.Put
	}
	need := sizeOf(recs)
	db.mu.Lock()
	now := db.clock.now()
	start := now
	if err := db.admit(put, need, &now); err != nil {
		db.mu.Unlock()
		return err
	}
	g, leads := db.join(recs, need, now)
	if db.buffered() {
		db.publish(g)
		db.keepGroup(g, now)
		db.mu.Unlock()
		if now != start { // it had to wait
			db.gauges.waits.observe(now.Sub(start))
		}
		return nil
	}
	defer func() { db.gauges.waits.observe(time.Since(start)) }()
	if leads {
		g.done = make(chan struct{})
	}
	db.mu.Unlock()
	if !leads {
		<-g.done
		return g.err
	}
	db.ioMu.Lock()
	db.await(g)
	db.drain(true)
	db.crowd = g.commits // nobody joins any more
	db.ioMu.Unlock()
	db.wakeKeeper()
	<-g.done
	return g.err
}

// maxPatience is how many waits for a crowd may follow each other at their longest. A
// choice, not a measured optimum.
const maxPatience = 16

// await lets a group grow to the size of the one before: those whose commits
// were just synced are about to commit again, and half of them would miss this
// sync. The commit that completes the crowd ends the wait, and so does the one that closes the
// group.
// With 64 writers it brought 49 commits to a sync instead of 32. A lone writer never
// waits; others at most a quarter of what a sync takes. Systems wake timers up to a
// millisecond late, which is five syncs of a fast disk: patience sees to it that the
// quarter holds over time. The caller holds db.ioMu: others that want it would only write
// this very group.
func (db *DB) await(g *group) {
	most := db.syncTook / 4
	if db.crowd <= 1 || g.log != db.newest || most <= 0 {
		return
	}
	db.patience = min(db.patience+most, maxPatience*most)
	if db.patience <= 0 || !db.wants(g) {
		return
	}
	start := time.Now()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-g.whole:
	case <-timer.C:
	}
	db.patience -= time.Since(start)
}

// wants reports whether g is smaller than the group before and can still grow. If so,
// g.whole is woken when that is over. The caller holds db.ioMu.
func (db *DB) wants(g *group) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if g.commits >= db.crowd || g.taken {
		return false
	}
	g.want, g.whole = db.crowd, newWaker()
	return true
}

// admit waits until a commit may join, or says why it may not. The caller
// holds db.mu; now is the time, and is set anew after waiting.
func (db *DB) admit(put bool, need int64, now *time.Time) error {
	for {
		switch {
		case db.closing:
			return ErrClosed
		case db.err != nil:
			return db.err
		case db.stuck != nil:
			return refused(db.stuck)
		case put && db.full:
			if err := db.roomAgain(); err != nil {
				return refused(err)
			}
		case put && db.queued.Load()+need > db.spare.covered.Load() && !db.fits(db.queued.Load()+need):
			return refused(fmt.Errorf("%s: too little is free for %d bytes", db.fs.Path("."), need))
		case db.buffered() && db.mustWait(*now):
			db.flusher.wake()
			db.room.Wait()
			*now = time.Now()
		default:
			return nil
		}
	}
}

// refused is the error of a commit that a full disk keeps out, for the reason
// that err has.
func refused(err error) error {
	if e, ok := errors.AsType[*DiskFullError](err); ok {
		err = e.Err
	}
	return &DiskFullError{Err: err}
}

// failed returns the error that every commit gets, if there is one.
func (db *DB) failed() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.err
}
