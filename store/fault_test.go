package store

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
)

// A drill is one run of a workload in which calls fail.
type drill struct {
	mode  Durability
	fs    *crashfs.FS
	files *counted
	track track // what was done, and what was promised

	number  int
	db      *DB
	failed  error // the first error of any call
	poison  bool  // a commit said ErrPoisoned
	trouble []error
}

// complain notes a broken promise.
func (d *drill) complain(format string, args ...any) {
	d.trouble = append(d.trouble, fmt.Errorf(format, args...))
}

// saw looks at the error of a call.
func (d *drill) saw(what string, err error) {
	if err == nil {
		return
	}
	if d.failed == nil {
		d.failed = fmt.Errorf("%s: %w", what, err)
	}
	if cerr := clear1(err); cerr != nil {
		d.complain("%s: %v", what, cerr)
	}
}

// commit notes the outcome of a commit.
func (d *drill) commit(what string, err error, changes ...change1) {
	d.saw(what, err)
	if d.poison && !errors.Is(err, ErrPoisoned) {
		d.complain("%s after the log failed: %v", what, err)
	}
	d.poison = d.poison || errors.Is(err, ErrPoisoned)
	if refusedWhole(err) {
		return
	}
	d.track.steps = append(d.track.steps, step{changes: changes, acked: never})
	if err == nil && d.mode == SyncAlways {
		d.track.ack(0)
	}
}

func (d *drill) put(key string, n int) {
	v := value(key, n)
	d.commit("put", d.db.Put([]byte(key), []byte(v)), put1(key, v))
}

// del deletes a key. One that is absent is not written, and changes nothing.
func (d *drill) del(key string) {
	d.commit("delete", d.db.Delete([]byte(key)), del1(key))
}

// durable notes what a call promised that has everything on the disk.
func (d *drill) durable(what string, err error) {
	d.saw(what, err)
	if d.poison && err == nil {
		d.complain("%s after the log failed: nil", what)
	}
	d.poison = d.poison || errors.Is(err, ErrPoisoned)
	if err == nil {
		d.track.ack(0)
	}
}

// work is the workload: it creates or recovers a store, fills several segments,
// seals, closes and opens again.
func (d *drill) work() {
	if !d.open() {
		return
	}
	for i := range 9 {
		d.put(fmt.Sprintf("a%d", i), 500)
	}
	d.del("a3")
	d.del("nobody")
	var b Batch
	b.Put([]byte("a4"), []byte("of the batch"))
	b.Delete([]byte("a5"))
	b.Put([]byte("b"), []byte(value("b", 300)))
	d.commit("apply", d.db.Apply(&b), put1("a4", "of the batch"), del1("a5"), put1("b", value("b", 300)))
	_, err := d.db.Seal()
	d.saw("seal", err)
	d.put("c", 5000) // a segment of its own
	d.put("d", 100)
	d.durable("sync", d.db.Sync())
	for range d.db.Scan(Range{}) {
	}
	d.put("a1", 700)
	d.durable("close", d.close())
	d.poison = false
	if !d.open() {
		return
	}
	d.put("e", 100)
	d.del("a6")
}

func (d *drill) open() bool {
	opt, _ := (&Options{SegmentSize: MinSegmentSize, Durability: d.mode}).resolved()
	db, err := openFS(d.files, opt)
	d.saw("open", err)
	d.db = db
	if err != nil {
		return false
	}
	d.rebase()
	return true
}

// rebase makes what a store holds after it was opened the base of the track:
// what was not acknowledged is there now or gone for good.
func (d *drill) rebase() {
	opt, _ := (&Options{SegmentSize: MinSegmentSize}).resolved()
	db, err := openFS(d.fs.Kill(), opt)
	if err != nil {
		d.complain("after an open: %v", err)
		return
	}
	defer db.Close()
	got, err := readAll(db)
	if err == nil {
		err = d.track.check(all, got, 0)
	}
	if err != nil {
		d.complain("after an open: %v", err)
	}
	d.track = track{base: got}
}

// close closes the store and looks whether it let go of everything.
func (d *drill) close() error {
	err := d.db.Close()
	d.db = nil
	if n := d.files.open.Load(); n != 0 {
		d.complain("%d handles are open after Close said %v", n, err)
	}
	return err
}

// aftermath ends the run without failures: reads go on, writes go on unless the
// log failed, and what is on the disk after any crash is as promised.
func (d *drill) aftermath() {
	d.fs.Fail(nil)
	if d.db == nil {
		if n := d.files.open.Load(); n != 0 {
			d.complain("%d handles are open after the open failed", n)
		}
	} else {
		d.goOn()
	}
	d.crashes()
	if d.db != nil {
		err := d.close()
		d.durable("close", err)
		if err != nil && !d.poison {
			d.complain("close without failures: %v", err)
		}
		d.crashes()
	}
	if len(d.trouble) > 0 {
		return
	}
	if d.open() { // in the same process, on what is there
		got, err := readAll(d.db)
		if err == nil {
			err = d.track.check(all, got, 0)
		}
		if err = errors.Join(err, d.close()); err != nil {
			d.complain("opened again: %v", err)
		}
	} else {
		d.complain("cannot be opened again in this process: %v", d.failed)
	}
}

// goOn reads and writes when calls have stopped to fail.
func (d *drill) goOn() {
	if err := reads(d.db); err != nil {
		d.complain("reading: %v", err)
	}
	if d.poison {
		d.put("f", 100)
		return
	}
	limit := time.Now().Add(patience)
	for {
		n := len(d.track.steps)
		d.put("f", 100)
		if d.poison {
			return // it had failed behind the back
		}
		if len(d.track.steps) > n && d.db.Sync() == nil {
			d.track.ack(0)
			return
		}
		if time.Now().After(limit) {
			d.complain("puts do not resume")
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// reads reads everything. A commit that a full disk held up may come to pass
// between a scan and a get; then it looks again.
func reads(db *DB) (err error) {
	for range 3 {
		if _, err = readAll(db); err == nil {
			return nil
		}
	}
	return err
}

// crashes opens what crashes leave: a kill, and power cuts of one kind or, if
// the drill's number is zero, of several.
func (d *drill) crashes() {
	states := map[string]*crashfs.FS{"kill": d.fs.Kill()}
	kinds := []crashfs.Kind{
		{Data: crashfs.DataNone, Names: crashfs.NamesNone},
		{Data: crashfs.DataMixed, Names: crashfs.NamesEach},
		{Data: crashfs.DataTornSector, Names: crashfs.NamesPrefix},
		{Data: crashfs.DataAll, Names: crashfs.NamesAll},
	}
	if d.number > 0 {
		kinds = kinds[d.number%4:][:1]
	}
	for _, k := range kinds {
		states[k.String()] = d.fs.Crash(uint64(d.number), k)
	}
	for name, fsys := range states {
		fsys.SetFree(-1) // recovery needs room
		opt, _ := (&Options{SegmentSize: MinSegmentSize}).resolved()
		db, err := openFS(fsys, opt)
		if err != nil {
			d.complain("%s: %v", name, err)
			continue
		}
		got, err := readAll(db)
		if err == nil {
			err = d.track.check(all, got, 0)
		}
		if err = errors.Join(err, db.Close()); err != nil {
			d.complain("%s: %v", name, err)
		}
	}
}

// beginnings are the states of the disk that drills begin with.
func beginnings(t *testing.T) map[string]func() (*crashfs.FS, contents) {
	killed := crashfs.New()
	d := &drill{mode: SyncAlways, fs: killed, files: &counted{FS: killed}}
	d.work()
	if d.failed != nil || d.trouble != nil {
		t.Fatal(d.failed, d.trouble)
	}
	// A log that is ended and not sealed, and a torn tail.
	killed.Fail(crashfs.FailNth(1, syscall.EIO, false, crashfs.OpRename))
	for i := range 10 {
		d.put(fmt.Sprintf("k%d", i), 400)
	}
	left := killed.Crash(1, crashfs.Kind{Data: crashfs.DataTornByte, Names: crashfs.NamesAll})
	base := d.track.after(len(d.track.steps))
	killed.Fail(nil)
	d.close()
	return map[string]func() (*crashfs.FS, contents){
		"empty folder": func() (*crashfs.FS, contents) { return crashfs.New(), nil },
		"killed store": func() (*crashfs.FS, contents) { return left.Clone(), base },
	}
}

// TestEveryCallFails fails the nth call for every n, of the workload on both
// beginnings, in both modes; of the longer ones every fourth n, unless
// VARVE_FAULT_STEP says 1.
func TestEveryCallFails(t *testing.T) {
	noLeaks(t)
	for from, begin := range beginnings(t) {
		for _, mode := range []Durability{SyncAlways, SyncEvery(4 * time.Millisecond)} {
			for i, c := range []struct {
				name  string
				err   error
				once  bool
				kinds []crashfs.OpKind
			}{
				{"EIO once", syscall.EIO, true, nil},
				{"EIO for ever", syscall.EIO, false, nil},
				{"ENOSPC once", syscall.ENOSPC, true, nil},
				{"ENOSPC for ever", syscall.ENOSPC, false, []crashfs.OpKind{crashfs.OpCreate, crashfs.OpWrite, crashfs.OpReserve}},
				{"short write, EIO", &crashfs.ShortWrite{N: 7, Err: syscall.EIO}, true, []crashfs.OpKind{crashfs.OpWrite}},
				{"short write, ENOSPC", &crashfs.ShortWrite{N: 7, Err: syscall.ENOSPC}, true, []crashfs.OpKind{crashfs.OpWrite}},
			} {
				t.Run(fmt.Sprintf("%s, sync %v, %s", from, mode, c.name), func(t *testing.T) {
					first, step := 1, 1
					if mode != SyncAlways || i > 0 && from != "empty folder" {
						step = number(t, "VARVE_FAULT_STEP", 8) // 1: every one
						first = 1 + i%step
					}
					cases := everyN(t, first, step, func(n int) (fired bool) {
						fsys, base := begin()
						d := &drill{number: n, mode: mode, fs: fsys, files: &counted{FS: fsys}, track: track{base: base}}
						fail := crashfs.FailNth(n, c.err, c.once, c.kinds...)
						var mu sync.Mutex
						var at []string
						fsys.Fail(func(op crashfs.Op) error {
							if op.Kind == crashfs.OpUnlock || op.Kind == crashfs.OpClose {
								return nil // see TestCloseFails
							}
							err := fail(op)
							if err != nil {
								mu.Lock()
								at = append(at, op.String())
								mu.Unlock()
							}
							return err
						})
						d.work()
						d.aftermath()
						for _, err := range d.trouble {
							t.Errorf("n=%d, first of %d failed calls %.3q, first error %v:\n  %v", n, len(at), at, d.failed, err)
						}
						return len(at) > 0
					})
					t.Logf("%d cases", cases)
				})
			}
		}
	}
}

// everyN calls run with every step-th n, several at a time, until nothing failed
// any more because the run has fewer calls. It returns how many it ran.
func everyN(t *testing.T, next, step int, run func(n int) (fired bool)) (cases int) {
	var mu sync.Mutex
	end := false
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				mu.Lock()
				n := next
				next += step
				cases++
				stop := end || t.Failed()
				mu.Unlock()
				if stop {
					return
				}
				var fired bool
				within(t, fmt.Sprintf("case %d", n), func() { fired = run(n) })
				mu.Lock()
				end = end || !fired
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return cases
}
