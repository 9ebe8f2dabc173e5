package store

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
)

// variant is a kind of workload.
type variant struct {
	name    string
	opt     Options
	writers int // goroutines
	steps   int // of each
	reopen  bool
}

// The workloads that are cut off: segments so small that rolls and seals happen
// a lot, both modes, one writer and several.
var variants = []variant{
	{"always, 4 KiB", Options{SegmentSize: 4 << 10}, 1, 90, true},
	{"always, 16 KiB, three writers", Options{SegmentSize: 16 << 10}, 3, 50, false},
	{"every 40 ms, 4 KiB", Options{SegmentSize: 4 << 10, Durability: SyncEvery(40 * time.Millisecond)}, 1, 120, true},
	{"every 1 s, 8 KiB, two writers", Options{SegmentSize: 8 << 10, Durability: SyncEvery(time.Second)}, 2, 80, false},
	{"always, 8 KiB, by age", Options{SegmentSize: 8 << 10, MaxSegmentAge: 300 * time.Millisecond}, 1, 60, true},
}

// workload is a workload at work.
type workload struct {
	variant
	t    testing.TB
	fs   *crashfs.FS
	db   *DB
	hist history

	mayFail bool  // calls are made to fail
	err     error // what ended it
}

// run does the workload on fsys, in a bubble of time that costs nothing, and
// closes the store. Base is what the store holds before.
func (v variant) run(t *testing.T, seed uint64, fsys *crashfs.FS, base contents) *history {
	w := &workload{variant: v, t: t, fs: fsys}
	w.opt = resolve(t, v.opt)
	for i := range v.writers {
		w.hist.tracks = append(w.hist.tracks, &track{prefix: fmt.Sprintf("g%d/", i)})
	}
	if v.writers == 1 {
		w.hist.tracks[0].base = base
	}
	fsys.Fail(slowSync)
	defer fsys.Fail(nil)
	synctest.Test(t, func(t *testing.T) {
		w.t = t
		w.db = mustOpen(t, fsys, w.opt)
		var wg sync.WaitGroup
		for i, tr := range w.hist.tracks {
			wg.Go(func() { w.write(tr, rand.New(rand.NewPCG(seed, uint64(i)))) })
		}
		wg.Wait()
		w.close()
	})
	return &w.hist
}

// slowSync fails nothing. It lets every other goroutine go first when one syncs,
// so that what was acknowledged too early shows.
func slowSync(op crashfs.Op) error {
	if op.Kind == crashfs.OpSync {
		for range 50 {
			runtime.Gosched()
		}
	}
	return nil
}

// close closes the store, after which all is promised.
func (w *workload) close() {
	if err := w.db.Close(); err != nil {
		w.stop("close", err)
		return
	}
	w.ackAll(w.fs.Ops())
}

// ackAll notes that everything is promised to survive. Nobody else may be
// writing.
func (w *workload) ackAll(op int) {
	w.hist.mu.Lock()
	defer w.hist.mu.Unlock()
	for _, t := range w.hist.tracks {
		t.ack(op)
	}
}

// write does the steps of one goroutine.
func (w *workload) write(t *track, rng *rand.Rand) {
	have := map[string]bool{}
	for k := range t.base {
		have[k] = true
	}
	for i := range w.steps {
		if w.err != nil {
			return
		}
		switch n := rng.IntN(100); {
		case n < 46:
			w.put(t, have, rng, i)
		case n < 60:
			w.delete(t, have, rng)
		case n < 84:
			w.apply(t, have, rng, i)
		case n < 87:
			if _, err := w.db.Seal(); err != nil {
				w.stop("seal", err)
				return
			}
			w.ack(t)
		case n < 91:
			if err := w.db.Sync(); err != nil {
				w.stop("sync", err)
				return
			}
			w.ack(t)
		case n < 96:
			w.pause(t, rng)
		case w.reopen:
			if w.close(); w.err != nil || !w.open() {
				return
			}
			if !w.db.OpenReport().Clean {
				w.t.Error("open after a close: not clean")
			}
		}
	}
}

// pause lets time pass: enough for a mark, or for all of the buffered mode's delay.
func (w *workload) pause(t *track, rng *rand.Rand) {
	every := w.opt.Durability.every
	if rng.IntN(2) == 0 {
		time.Sleep(2*markAfter + every/10)
		return
	}
	time.Sleep(every + time.Millisecond)
	w.ack(t) // at most so much is lost
}

func (w *workload) ack(t *track) { t.ack(w.fs.Ops()) }

func someKey(t *track, rng *rand.Rand) string { return fmt.Sprintf("%sk%02d", t.prefix, rng.IntN(30)) }

// someObject makes an object of a size that may fill a segment, and tells whose it is.
func someObject(key string, i int, rng *rand.Rand) *Object {
	size := rng.IntN(300)
	switch rng.IntN(40) {
	case 0:
		size = 5000
	case 1, 2:
		size = 1000 + rng.IntN(1500)
	case 3:
		size = 0
	}
	o := &Object{Value: fmt.Appendf(nil, "%s#%d.", key, i)}
	for len(o.Value) < size {
		o.Value = append(o.Value, byte(rng.Uint32()))
	}
	if rng.IntN(8) == 0 {
		o.Meta, o.Content = []byte{0x81, 0xa1, 'n', byte(i)}, Msgpack
	}
	return o
}

func (w *workload) put(t *track, have map[string]bool, rng *rand.Rand, i int) {
	key := someKey(t, rng)
	o := someObject(key, i, rng)
	in := *o
	in.Key = []byte(key)
	have[key] = true
	w.commit(t, []change1{{key, o}}, func() error { return w.db.PutObject(in) })
}

func (w *workload) delete(t *track, have map[string]bool, rng *rand.Rand) {
	key := someKey(t, rng)
	if !have[key] {
		if err := w.db.Delete([]byte(key)); err != nil {
			w.stop("delete of nothing", err)
		}
		return
	}
	delete(have, key)
	w.commit(t, []change1{{key, nil}}, func() error { return w.db.Delete([]byte(key)) })
}

func (w *workload) apply(t *track, have map[string]bool, rng *rand.Rand, i int) {
	var b Batch
	var changes []change1
	for range 1 + rng.IntN(7) {
		key := someKey(t, rng)
		if rng.IntN(4) == 0 {
			changes = append(changes, change1{key, nil})
			delete(have, key)
			b.Delete([]byte(key))
			continue
		}
		o := someObject(key, i, rng)
		in := *o
		in.Key = []byte(key)
		changes = append(changes, change1{key, o})
		have[key] = true
		b.PutObject(in)
	}
	w.commit(t, changes, func() error { return w.db.Apply(&b) })
}

// commit does one step, and notes it with the operation after which it is
// acknowledged, if it is at once.
func (w *workload) commit(t *track, changes []change1, do func() error) {
	w.hist.mu.Lock()
	t.steps = append(t.steps, step{changes: changes, acked: never})
	w.hist.mu.Unlock()
	if err := do(); err != nil {
		w.stop("commit", err)
		return
	}
	w.hist.mu.Lock()
	defer w.hist.mu.Unlock()
	if w.opt.Durability == SyncAlways {
		w.ack(t)
	}
	w.number(t, changes)
}

// number finds out the sequence numbers of a step that was committed: of the last
// record if that was a put, and of those before it in the batch.
func (w *workload) number(t *track, changes []change1) {
	last := changes[len(changes)-1]
	if last.obj == nil {
		return
	}
	o, err := w.db.GetObject([]byte(last.key))
	if err != nil {
		w.stop("get what was put", err)
		return
	}
	t.steps[len(t.steps)-1].seq = o.Seq
	for i, c := range changes {
		if c.obj != nil {
			c.obj.Seq = o.Seq - uint64(len(changes)-1-i)
		}
	}
}
