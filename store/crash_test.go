package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"testing"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/check"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/vfs"
)

// TestCrash cuts workloads off after every operation, in every way that the
// disk allows, and opens what is left. VARVE_CRASH_STATES says how many states
// are opened in all; VARVE_CRASH_SEED begins with another seed.
func TestCrash(t *testing.T) {
	c := &crashes{t: t, want: number(t, "VARVE_CRASH_STATES", 3000), began: time.Now()}
	if testing.Short() {
		c.want /= 25
	}
	seed := uint64(number(t, "VARVE_CRASH_SEED", 1))
	for ; c.states < c.want && !t.Failed(); seed++ {
		for _, v := range variants {
			c.cutOff(v, seed)
		}
	}
	t.Logf("%d states, %d of them of a recovery that was cut off, in %v", c.states, c.again, time.Since(c.began).Round(time.Millisecond))
}

// crashes is a run of crash states.
type crashes struct {
	t             *testing.T
	want          int // states in all
	states, again int
	began         time.Time
}

// perRun is how many states of a run of a workload are opened, if there are so
// many wanted: nearly all that differ.
const perRun = 4000

// cutOff runs a workload and cuts it off after every operation.
func (c *crashes) cutOff(v variant, seed uint64) {
	fsys := crashfs.NewUnsynced() // somebody else made the folder
	rec := fsys.Record()
	h := v.run(c.t, seed, fsys, nil)
	share := min(c.want/len(variants), perRun)
	each := max(1, share/(rec.Ops()+1))
	step := max(1, (rec.Ops()+1)/max(1, share)) // where fewer states are wanted than there are operations
	rng := seeded(seed)
	for n := rng.IntN(step); n <= rec.Ops(); n += step {
		for state, crashed := range someStates(rec.At(n), rng.Uint64()>>1, each) {
			deep := rng.IntN(30) == 0
			if err := c.verify(h, n, crashed, v.opt, deep); err != nil {
				c.t.Errorf("%s, seed %d: cut after operation %d (%v), %v: %v\nrun VARVE_CRASH_SEED=%d go test ./store -run TestCrash; the files are in %s (-artifacts)",
					v.name, seed, n, rec.Op(n), state, err, seed, keep(c.t, crashed))
				return
			}
		}
	}
}

// someStates yields n states of random kinds: all that differ, if n is greater
// than there are kinds.
func someStates(fsys *crashfs.FS, seed uint64, n int) iter.Seq2[crashfs.State, *crashfs.FS] {
	if n > len(crashfs.Kinds) {
		return fsys.States(seed)
	}
	return func(yield func(crashfs.State, *crashfs.FS) bool) {
		rng := seeded(seed)
		for range n {
			s := crashfs.State{Kind: crashfs.Kinds[rng.IntN(len(crashfs.Kinds))], Seed: rng.Uint64()}
			if !yield(s, fsys.Crash(s.Seed, s.Kind)) {
				return
			}
		}
	}
}

// verify opens what a cut after operation op left, and checks that it holds what
// it must; that a reader shows the same and changes nothing; that it takes a
// put, closes, and opens again; and, if deep, that the recovery may be cut off.
func (c *crashes) verify(h *history, op int, crashed *crashfs.FS, o Options, deep bool) error {
	opt := resolve(c.t, o)
	c.states++
	seen, err := readOnly(crashed, opt)
	if err != nil {
		return fmt.Errorf("read-only: %w", err)
	}
	fsys := crashed.Clone()
	rec := fsys.Record()
	found, last, err := recovered(h, op, fsys, opt)
	if err != nil {
		return err
	}
	if err := diff(found, seen); err != nil {
		return fmt.Errorf("a reader showed something else than recovery brings: %w", err)
	}
	if !deep {
		return nil
	}
	for what, state := range map[string]*crashfs.FS{"before": crashed, "after": fsys} {
		if err := noFindings(state); err != nil {
			return fmt.Errorf("check %s recovery: %w", what, err)
		}
	}
	return c.verifyAgain(rec, found, last, opt)
}

// noFindings makes sure that check, at every level, takes what a crash leaves for
// what it is: no damage.
func noFindings(fsys *crashfs.FS) error {
	if noStoreYet(fsys) {
		return nil
	}
	for _, level := range []integrity.Level{integrity.None, integrity.Tail, integrity.Log, integrity.Full} {
		r, err := check.Run(context.Background(), vfs.AsFS(fsys), check.Options{Level: level, Workers: 1})
		if err != nil {
			return err
		}
		if len(r.Findings) > 0 {
			return fmt.Errorf("level %v: %+v", level, r.Findings)
		}
	}
	return nil
}

// noStoreYet reports whether no store was begun: the folder is empty, or lost.
func noStoreYet(fsys *crashfs.FS) bool {
	s, err := integrity.Survey(fsys)
	return err == nil && s.None() || errors.Is(err, fs.ErrNotExist)
}

// readOnly reads all of a store without changing anything. A folder in which
// no store was made yet is empty.
func readOnly(fsys *crashfs.FS, opt Options) (contents, error) {
	before := fsys.Ops()
	r, err := openReader(fsys, opt)
	if err != nil {
		if noStoreYet(fsys) {
			return nil, nil
		}
		return nil, err
	}
	got, err := readAll(r)
	if err := r.Close(); err != nil {
		return nil, err
	}
	if n := fsys.Ops() - before; n != 0 {
		return nil, fmt.Errorf("a read-only open made %d changes", n)
	}
	return got, err
}

const proof = "zz/put after recovery"

// recovered opens a crash state for writing, checks it, and lets it go on.
func recovered(h *history, op int, fsys *crashfs.FS, opt Options) (contents, uint64, error) {
	db, err := openFS(fsys, opt)
	if err != nil {
		return nil, 0, fmt.Errorf("open: %w", err)
	}
	last := db.OpenReport().LastSeq
	got, err := readAll(db)
	if err == nil {
		err = h.check(op, got, last)
	}
	if err == nil {
		err = db.Put([]byte(proof), []byte(proof))
	}
	if closeErr := db.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, 0, err
	}
	return got, last, reopened(fsys, opt, got)
}

// reopened makes sure that a recovered store that was closed opens cleanly and
// holds what it held, and the put after that.
func reopened(fsys *crashfs.FS, opt Options, want contents) error {
	db, err := openFS(fsys, opt)
	if err != nil {
		return fmt.Errorf("second open: %w", err)
	}
	defer db.Close()
	if r := db.OpenReport(); !r.Clean {
		return fmt.Errorf("second open: not clean: %+v", r)
	}
	got, err := readAll(db)
	if err != nil {
		return fmt.Errorf("second open: %w", err)
	}
	if string(got[proof].Value) != proof {
		return fmt.Errorf("second open: the put after recovery is lost")
	}
	delete(got, proof)
	if err := diff(want, got); err != nil {
		return fmt.Errorf("second open: %w", err)
	}
	return nil
}

// verifyAgain cuts off a recovery, the put after it and the close after each of
// their operations: what was recovered must come back, that and no other.
func (c *crashes) verifyAgain(rec *crashfs.Recording, want contents, last uint64, opt Options) error {
	for n := rec.First(); n <= rec.Ops(); n++ {
		for state, crashed := range someStates(rec.At(n), uint64(n), 2) {
			c.states++
			c.again++
			err := sameAgain(crashed, want, last, opt)
			if err != nil {
				return fmt.Errorf("recovery, put and close cut after operation %d (%v), %v: %w; those files are in %s",
					n, rec.Op(n), state, err, keep(c.t, crashed))
			}
		}
	}
	return nil
}

func sameAgain(crashed *crashfs.FS, want contents, last uint64, opt Options) error {
	db, err := openFS(crashed, opt)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer db.Close()
	got, err := readAll(db)
	if err != nil {
		return err
	}
	if _, there := got[proof]; there {
		delete(got, proof)
		last++
	}
	if n := db.OpenReport().LastSeq; n != last {
		return fmt.Errorf("the newest sequence number is %d, want %d", n, last)
	}
	return diff(want, got)
}
