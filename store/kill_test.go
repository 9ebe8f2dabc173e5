package store

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
)

// TestKill ends the process after every operation of a workload, with the power
// on: what was written can be read, whether it is on the disk or not. Recovery
// must not take it for durable; so the power goes during recovery, too.
func TestKill(t *testing.T) {
	c := &crashes{t: t}
	stride := 1
	if testing.Short() {
		stride = 9
	}
	for _, v := range variants {
		fsys := crashfs.New()
		rec := fsys.Record()
		h := v.run(t, 1, fsys, nil)
		for n := 0; n <= rec.Ops(); n += stride {
			if err := c.verifyKill(h, n, rec.At(n), v.opt, n%10 == 0); err != nil {
				t.Fatalf("%s: killed after operation %d (%v): %v", v.name, n, rec.Op(n), err)
			}
		}
	}
	t.Logf("%d states", c.states)
}

// verifyKill is verify for a process that ended after operation op; the bytes
// that were not synced are still not.
func (c *crashes) verifyKill(h *history, op int, killed *crashfs.FS, o Options, deep bool) error {
	opt := resolve(c.t, o)
	c.states++
	seen, err := readOnly(killed, opt)
	if err != nil {
		return fmt.Errorf("read-only: %w", err)
	}
	fsys := killed.Clone()
	rec := fsys.Record()
	db, err := openFS(fsys, opt)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	opened := fsys.Ops()
	got, last, err := putAndClose(h, op, db)
	if err != nil {
		return err
	}
	if err := diff(got, seen); err != nil {
		return fmt.Errorf("a reader showed something else than recovery brings: %w", err)
	}
	if err := reopened(fsys, opt, got); err != nil || !deep {
		return err
	}
	for n := rec.First(); n <= rec.Ops(); n++ {
		for state, crashed := range someStates(rec.At(n), uint64(n), 3) {
			c.states++
			if n >= opened {
				err = sameAgain(crashed, got, last, opt)
			} else {
				_, _, err = recovered(h, op, crashed, opt)
			}
			if err != nil {
				return fmt.Errorf("then the power went after operation %d (%v; the open was done at %d), %v: %w; files in %s",
					n, rec.Op(n), opened, state, err, keep(c.t, crashed))
			}
		}
	}
	return nil
}

// putAndClose checks a store that was recovered, and lets it go on.
func putAndClose(h *history, op int, db *DB) (contents, uint64, error) {
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
	return got, last, err
}

// TestFailedCalls lets each call of a workload fail in turn, once and from then
// on, and ends the process: what was acknowledged is there, after a kill, and
// after a power cut, which takes the pages of a failed sync; and no commit was
// acknowledged after a failed sync of the log.
func TestFailedCalls(t *testing.T) {
	v := variant{name: "failing", opt: Options{SegmentSize: 4 << 10}, writers: 1, steps: 25, reopen: true}
	step, stride := 3, 1
	if testing.Short() {
		step, stride = 11, 7
	}
	once := func(n int, kinds ...crashfs.OpKind) func(crashfs.Op) error {
		return crashfs.FailNth(n, syscall.EIO, true, kinds...)
	}
	for _, part := range []struct {
		name string
		step int
		fail func(n int) func(crashfs.Op) error
	}{
		{"every sync", 1, func(n int) func(crashfs.Op) error { return once(n, crashfs.OpSync) }},
		{"every sync from one on", 2, func(n int) func(crashfs.Op) error { return crashfs.FailNth(n, syscall.EIO, false, crashfs.OpSync) }},
		{"every sync of the folder", 1, func(n int) func(crashfs.Op) error { return once(n, crashfs.OpSyncDir) }},
		{"every write", 2, func(n int) func(crashfs.Op) error { return once(n, crashfs.OpWrite) }},
		{"every write, for want of room", 1, func(n int) func(crashfs.Op) error { return crashfs.ShortWriteNth(n, 40, syscall.ENOSPC) }},
		{"every call", step, func(n int) func(crashfs.Op) error { return once(n) }},
		{"every call from one on", 3 * step, func(n int) func(crashfs.Op) error { return crashfs.FailNth(n, syscall.EIO, false) }},
	} {
		t.Run(part.name, func(t *testing.T) {
			c := &crashes{t: t}
			for n, hit := 1, true; hit && !t.Failed(); n += part.step * stride {
				hit = c.failed(v, n, part.fail(n))
			}
			t.Logf("%d states", c.states)
		})
	}
}

// failed runs the workload with fail, which fails the nth call of a kind, and
// verifies what is left. It reports whether there was such a call.
func (c *crashes) failed(v variant, n int, fail func(crashfs.Op) error) bool {
	fsys := crashfs.New()
	var first atomic.Pointer[crashfs.Op]
	fsys.Fail(func(o crashfs.Op) error {
		err := fail(o)
		if err != nil {
			first.CompareAndSwap(nil, &o)
		}
		return err
	})
	w := &workload{variant: v, t: c.t, fs: fsys, mayFail: true}
	w.opt = resolve(c.t, v.opt)
	w.hist.tracks = []*track{{prefix: "g0/"}}
	synctest.Test(c.t, func(t *testing.T) {
		w.t = t
		if w.open() {
			w.write(w.hist.tracks[0], seeded(7))
		}
		if w.db != nil && w.err == nil {
			w.err = w.db.Close()
		} else if w.db != nil {
			w.db.Close()
		}
	})
	fsys.Fail(nil)
	op := first.Load()
	if op == nil {
		return false
	}
	at := fsys.Ops()
	err := c.verifyKill(&w.hist, at, fsys.Kill(), v.opt, true)
	for state, crashed := range someStates(fsys, uint64(n), 6) {
		if err != nil {
			break
		}
		if err = c.verify(&w.hist, at, crashed, v.opt, false); err != nil {
			err = fmt.Errorf("power cut, %v: %w", state, err)
		}
	}
	if err != nil {
		c.t.Errorf("number %d (%v) failed, so that the workload ended with %v: %v", n, op, w.err, err)
	}
	return true
}

// open opens the store, and reports whether it could.
func (w *workload) open() bool {
	db, err := openFS(w.fs, w.opt)
	if err != nil {
		w.stop("open", err)
		return false
	}
	w.db = db
	return true
}

// stop notes an error, which ends the workload. It is a failure of the test unless
// calls are made to fail.
func (w *workload) stop(what string, err error) {
	if !w.mayFail {
		w.t.Errorf("%s: %v", what, err)
	}
	if w.err == nil {
		w.err = fmt.Errorf("%s: %w", what, err)
	}
}

// TestNothingIsAcknowledgedAfterAFailedSync fails one sync of a log, and asks for
// every kind of commit afterwards.
func TestNothingIsAcknowledgedAfterAFailedSync(t *testing.T) {
	for _, d := range []Durability{SyncAlways, SyncEvery(20 * time.Millisecond)} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { failOneSync(t, d) })
		})
	}
}

func failOneSync(t *testing.T, d Durability) {
	fsys := crashfs.New()
	o := Options{SegmentSize: 8 << 10, Durability: d}
	db := mustOpen(t, fsys, o)
	defer db.Close()
	mustPut(t, db, "before", "1")
	if err := db.Sync(); err != nil {
		t.Fatal(err)
	}
	fsys.Fail(crashfs.FailNth(1, syscall.EIO, true, crashfs.OpSync))
	err := db.Put([]byte("lost"), []byte("2"))
	if d != SyncAlways {
		err = db.Sync()
	}
	if !errors.Is(err, ErrPoisoned) || !errors.Is(err, syscall.EIO) {
		t.Fatalf("the commit whose sync failed: %v", err)
	}
	var b Batch
	b.Put([]byte("x"), nil)
	_, sealErr := db.Seal()
	for what, err := range map[string]error{
		"put": db.Put([]byte("y"), nil), "delete": db.Delete([]byte("before")), "apply": db.Apply(&b), "sync": db.Sync(), "seal": sealErr,
	} {
		if !errors.Is(err, ErrPoisoned) {
			t.Errorf("%s after the failed sync: %v", what, err)
		}
	}
	if v, err := db.Get([]byte("before")); string(v) != "1" {
		t.Errorf("get after the failed sync: %q, %v", v, err)
	}
	ops := fsys.Ops()
	time.Sleep(time.Second)
	if n := fsys.Ops(); n != ops {
		t.Errorf("%d operations after the failed sync", n-ops)
	}
	if err := db.Close(); !errors.Is(err, ErrPoisoned) {
		t.Errorf("close after the failed sync: %v", err)
	}
	after := mustOpen(t, fsys.Crash(1, crashfs.Kind{Data: crashfs.DataNone, Names: crashfs.NamesNone}), o)
	defer after.Close()
	mustHold(t, after, map[string]string{"before": "1"})
}

// TestCrashLoopLeavesNoTrail crashes fifty times in a row, some of them during
// recovery: the files stay as many as the objects need.
func TestCrashLoopLeavesNoTrail(t *testing.T) {
	o := Options{SegmentSize: 64 << 10}
	fsys := crashfs.New()
	rng := seeded(3)
	want := map[string]string{}
	for i := range 50 {
		cut := 0
		if i%3 == 2 { // during recovery
			cut = fsys.Ops() + 1 + rng.IntN(25)
		}
		fsys.CutAt(cut)
		db, err := openFS(fsys, resolve(t, o))
		if err == nil {
			k, v := fmt.Sprintf("key %d", i), strings.Repeat("v", rng.IntN(200))
			_, keyErr := db.Get([]byte(k))
			if err = db.Put([]byte(k), []byte(v)); err == nil {
				want[k] = v
			} else if !errors.Is(err, crashfs.ErrPowerCut) || !errors.Is(keyErr, ErrNotFound) {
				t.Fatalf("round %d: %v, %v", i, err, keyErr)
			}
		} else if !errors.Is(err, crashfs.ErrPowerCut) {
			t.Fatalf("round %d: %v", i, err)
		}
		next := fsys.Crash(rng.Uint64(), crashfs.Kinds[rng.IntN(len(crashfs.Kinds))])
		if db != nil {
			db.Close()
		}
		fsys = next
		n := 0
		for name := range files(fsys) {
			if !strings.HasSuffix(name, ".torn") {
				n++
			}
		}
		if n > 5 {
			t.Fatalf("round %d: %d files for %d objects: %v", i, n, len(want), fsys.Names())
		}
	}
	db := mustOpen(t, fsys, o)
	defer db.Close()
	for k, v := range want {
		if got, err := db.Get([]byte(k)); err != nil || string(got) != v {
			t.Errorf("%s: %q, %v", k, got, err)
		}
	}
}
