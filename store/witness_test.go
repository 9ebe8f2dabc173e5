package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/check"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// lastClose returns the witness in a store's lock file, or nil.
func lastClose(t *testing.T, fsys *crashfs.FS) *segment.Witness {
	t.Helper()
	s, err := integrity.Survey(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return s.Witness
}

// closedStore is a store of two logs, small ones, that was closed in order: the newest has
// five objects, a deletion and a mark. Newest is its file.
func closedStore(t *testing.T, setup ...func(*crashfs.FS)) (fsys *crashfs.FS, newest string, want contents) {
	fsys = crashfs.New()
	for _, fn := range setup {
		fn(fsys)
	}
	synctest.Test(t, func(t *testing.T) {
		db := mustOpen(t, fsys, Options{})
		mustPut(t, db, "old", value("old", 100))
		mustPut(t, db, "a1", "an old value")
		if _, err := db.Seal(); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			mustPut(t, db, fmt.Sprintf("a%d", i), value("v", 20+i))
		}
		if err := db.Delete([]byte("a3")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // for the idle mark
		got, err := readAll(db)
		if err != nil {
			t.Fatal(err)
		}
		want = got
		mustClose(t, db)
	})
	s, err := integrity.Survey(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return fsys, s.NewestLog().Name, want
}

// TestNothingIsCutOffAfterAClose changes the end of a newest log that was closed in order in
// every place: it is cut at each length, filled with zeros, garbage or the bytes before from
// each place on, each byte is flipped, each range of some lengths is zeroed. The open
// fails and touches nothing, or all that was acknowledged is there.
func TestNothingIsCutOffAfterAClose(t *testing.T) {
	fsys, newest, want := closedStore(t)
	w := lastClose(t, fsys)
	if w == nil || logName(w.Ref.ID) != newest || w.LastSeq != 8 {
		t.Fatalf("the witness says %+v", w)
	}
	was := fsys.Bytes(newest)
	refused := 0
	do := func(what string, at int, b []byte) {
		p := fsys.Clone()
		p.SetBytes(newest, b)
		before := files(p)
		db, err := openFS(p, resolve(t, Options{}))
		if err != nil {
			refused++
			if !isDamage(err) && !errors.Is(err, ErrLostLog) {
				t.Fatalf("%s: %v", what, err)
			}
			if at >= len(was)-2*segment.CloseSize {
				t.Fatalf("%s: all that was acknowledged is there, and the open says: %v", what, err)
			}
			if err := unchanged(p, before); err != nil {
				t.Fatalf("%s: an open that failed %v", what, err)
			}
			return
		}
		got, bad, err := survivors(db)
		db.Close()
		for k := range bad { // found by the read: a value in the middle
			delete(got, k)
		}
		lost := len(want)
		for k, o := range want {
			if g, there := got[k]; bad[k] || there && sameObject(o, g) {
				lost--
			}
		}
		if err != nil || lost > 0 || len(got)+len(bad) != len(want) {
			t.Fatalf("%s: %d acknowledged objects are lost in silence; %v; %+v", what, lost, err, db.OpenReport())
		}
	}
	step := 1
	if testing.Short() {
		step = 7
	}
	for at := 0; at < len(was); at += step {
		tail := func(fill func(b []byte)) []byte {
			b := slices.Clone(was)
			fill(b[at:])
			return b
		}
		do(fmt.Sprintf("cut to %d", at), at, was[:at])
		do(fmt.Sprintf("zeros from %d on", at), at, tail(func(b []byte) { clear(b) }))
		do(fmt.Sprintf("flipped at %d", at), at, tail(func(b []byte) { b[0] ^= 0x10 }))
		if at%5 == 0 {
			do(fmt.Sprintf("garbage from %d on", at), at, tail(func(b []byte) { copy(b, strings.Repeat("\x03garbage", len(was))) }))
			do(fmt.Sprintf("the beginning again from %d on", at), at, tail(func(b []byte) { copy(b, was) }))
			for _, n := range []int{40, 465, 512} {
				do(fmt.Sprintf("%d zeros from %d on", n, at), at, tail(func(b []byte) { clear(b[:min(n, len(b))]) }))
			}
		}
	}
	do("emptied", 0, nil)
	if refused < len(was)/step {
		t.Errorf("%d of %d lengths and more were refused", refused, len(was))
	}
	// Whatever stands in the lock file, the store opens, and holds everything.
	lock := fsys.Bytes(segment.LockName)
	for at := range lock {
		if at < segment.WitnessOffset && at%512 != 0 {
			continue
		}
		flipped := slices.Clone(lock)
		flipped[at] ^= 0x10
		for what, b := range map[string][]byte{"flipped at": flipped, "cut to": lock[:at]} {
			p := fsys.Clone()
			p.SetBytes(segment.LockName, b)
			db := mustOpen(t, p, Options{})
			if got, err := readAll(db); err != nil || diff(want, got) != nil || !db.OpenReport().Clean {
				t.Fatalf("%s %s %d: %v, %v, %+v", segment.LockName, what, at, err, diff(want, got), db.OpenReport())
			}
			mustClose(t, db)
		}
	}
}

// TestWitnessOfWhichClose says what the witness is after each way in which a store is left
// and opened: it is of the last close that wrote anything, and never of one that did not
// come to its end.
func TestWitnessOfWhichClose(t *testing.T) {
	fsys, newest, _ := closedStore(t)
	first := *lastClose(t, fsys)
	same := func(what string, fsys *crashfs.FS, want bool) {
		t.Helper()
		if w := lastClose(t, fsys); (*w == first) != want {
			t.Errorf("%s: the witness is %+v, and was %+v", what, w, first)
		}
	}
	db := mustOpen(t, fsys, Options{})
	same("opened", fsys, true)
	mustClose(t, db)
	same("closed without a write", fsys, true)

	db = mustOpen(t, fsys, Options{})
	mustPut(t, db, "b", "b")
	same("written to", fsys, true)
	killed := fsys.Kill()
	mustClose(t, db)
	if w := lastClose(t, fsys); logName(w.Ref.ID) != newest || w.Offset <= first.Offset || w.LastSeq != first.LastSeq+1 || w.Time <= first.Time {
		t.Errorf("closed after a write: %+v, was %+v", w, first)
	}

	db = mustOpen(t, killed, Options{})
	if rep := db.OpenReport(); rep.Begun == nil {
		t.Errorf("after a kill: %+v", rep)
	}
	same("opened after a kill", killed, true)
	mustClose(t, db)
	if w := lastClose(t, killed); w.Ref.Timeline == first.Ref.Timeline || w.LastSeq != first.LastSeq+1 {
		t.Errorf("recovered, then closed: %+v, was %+v", w, first)
	}

	// A copy brings the witness along, and begins a timeline: then it says nothing of its log.
	c := fsys.Copy()
	db = mustOpen(t, c, Options{})
	mustPut(t, db, "c", "c")
	dead := c.Kill()
	mustClose(t, db)
	for _, fsys := range []*crashfs.FS{dead, c} {
		db = mustOpen(t, fsys, Options{})
		if v, err := db.Get([]byte("c")); err != nil || string(v) != "c" {
			t.Errorf("a copy that was written to: %q, %v", v, err)
		}
		mustClose(t, db)
	}
}

// TestWitnessThatCannotBeWritten fails each call for the lock file in a close, and gives it
// no room: the store is closed, nothing is lost, and what the witness says is still true.
func TestWitnessThatCannotBeWritten(t *testing.T) {
	kinds := []crashfs.OpKind{crashfs.OpWrite, crashfs.OpSync}
	for _, kind := range kinds {
		for _, reason := range []error{syscall.EIO, syscall.ENOSPC, &crashfs.ShortWrite{N: 40, Err: syscall.ENOSPC}} {
			fsys, _, want := closedStore(t)
			db := mustOpen(t, fsys, Options{})
			mustPut(t, db, "new", "new")
			fsys.Fail(func(op crashfs.Op) error {
				if op.Kind == kind && op.Name == segment.LockName {
					return reason
				}
				return nil
			})
			if err := db.Close(); err != nil {
				t.Errorf("%s fails with %v: close: %v", kind, reason, err)
			}
			fsys.Fail(nil)
			crashed := fsys.Crash(1, crashfs.Kind{Data: crashfs.DataNone, Names: crashfs.NamesNone})
			for what, fsys := range map[string]*crashfs.FS{"as it is": fsys, "after a power cut": crashed} {
				db := mustOpen(t, fsys, Options{})
				got, err := readAll(db)
				if string(got["new"].Value) != "new" || err != nil || !db.OpenReport().Clean {
					t.Errorf("%s fails with %v, %s: %v, %+v", kind, reason, what, err, db.OpenReport())
				}
				delete(got, "new")
				if err := diff(want, got); err != nil {
					t.Errorf("%s fails with %v, %s: %v", kind, reason, what, err)
				}
				mustClose(t, db)
			}
		}
	}
}

// TestUnreadableWitness: a disk that cannot read the lock file fails the open, since nothing
// was decided; a reader that may not read it goes on without.
func TestUnreadableWitness(t *testing.T) {
	fsys, _, want := closedStore(t)
	before := files(fsys)
	fsys.Fail(func(op crashfs.Op) error {
		if op.Kind == crashfs.OpRead && op.Name == segment.LockName {
			return syscall.EIO
		}
		return nil
	})
	if _, err := openFS(fsys, resolve(t, Options{})); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), segment.LockName) {
		t.Errorf("an open says %v", err)
	}
	if err := unchanged(fsys, before); err != nil {
		t.Error(err)
	}
	fsys.Fail(func(op crashfs.Op) error {
		if op.Kind == crashfs.OpOpen && op.Name == segment.LockName {
			return syscall.EACCES
		}
		return nil
	})
	r, err := openReader(fsys, resolve(t, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := readAll(r); err != nil || diff(want, got) != nil {
		t.Errorf("a reader: %v, %v", err, diff(want, got))
	}
}

// TestLossThatTheWitnessTellsOfIsAccepted opens what is left of a closed log, which no open
// does by itself. It goes on as another timeline, so that no number is given twice on one.
func TestLossThatTheWitnessTellsOfIsAccepted(t *testing.T) {
	whole, newest, _ := closedStore(t)
	was := whole.Bytes(newest)
	old := lastClose(t, whole)
	cutAtAnEarlierClose := func(fsys *crashfs.FS) {
		db := mustOpen(t, fsys, Options{})
		mustPut(t, db, "more", "more")
		mustClose(t, db)
		if len(fsys.Bytes(newest)) <= len(was) {
			t.Fatal("the log did not grow")
		}
		fsys.SetBytes(newest, was)
	}
	for what, hurt := range map[string]func(*crashfs.FS){
		"its last bytes are zeros": func(p *crashfs.FS) {
			b := slices.Clone(was)
			clear(b[len(b)-465:])
			p.SetBytes(newest, b)
		},
		"it is as an earlier close left it": cutAtAnEarlierClose,
		"nothing of it is there":            func(p *crashfs.FS) { p.SetBytes(newest, nil) },
		"it is zeros":                       func(p *crashfs.FS) { p.SetBytes(newest, make([]byte, len(was))) },
	} {
		fsys := whole.Clone()
		hurt(fsys)
		_, err := openFS(fsys, resolve(t, Options{AllowDamaged: true}))
		c, damaged := segment.AsCorrupt(err)
		if !damaged && !errors.Is(err, ErrLostLog) || damaged && (!c.Closed || c.LastSeq < old.LastSeq) {
			t.Errorf("%s: %v", what, err)
		}
		db, err := openFS(fsys, resolve(t, Options{AcceptLostLog: true}))
		if err != nil {
			t.Fatalf("%s: accepted: %v", what, err)
		}
		rep := db.OpenReport()
		if rep.Clean || rep.Begun == nil || rep.Lost == nil && (len(rep.Notes) != 1 || !strings.Contains(rep.Notes[0], "accepted")) {
			t.Errorf("%s: accepted: %+v", what, rep)
		}
		mustPut(t, db, "after", "after")
		killed := fsys.Kill()
		mustClose(t, db)
		for _, fsys := range []*crashfs.FS{killed, fsys} { // and needs no acceptance again
			db := mustOpen(t, fsys, Options{})
			if v, err := db.Get([]byte("after")); err != nil || string(v) != "after" {
				t.Errorf("%s: after that: %q, %v", what, v, err)
			}
			mustClose(t, db)
		}
	}
}

// TestNoStoreIsBegunWhereOneWasClosed: without its segments a folder with a witness is a store
// that lost them.
func TestNoStoreIsBegunWhereOneWasClosed(t *testing.T) {
	fsys, _, _ := closedStore(t)
	for name := range files(fsys) {
		if err := fsys.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openFS(fsys, resolve(t, Options{})); !errors.Is(err, ErrMissing) {
		t.Errorf("an open says %v", err)
	}
	if _, err := openReader(fsys, resolve(t, Options{})); !errors.Is(err, ErrMissing) {
		t.Errorf("a reader says %v", err)
	}
	if err := fsys.Remove(segment.LockName); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, fsys, Options{}))
}

// TestWithoutBirthTimes: where the file system tells none, the witness knows the very file
// that was closed by the time of its last change. A copy has another one, whatever its inode
// number.
func TestWithoutBirthTimes(t *testing.T) {
	fsys, newest, want := closedStore(t, (*crashfs.FS).ForgetBirths)
	opened := func(what string, fsys *crashfs.FS, clean bool, why string) {
		t.Helper()
		db := mustOpen(t, fsys, Options{})
		rep := db.OpenReport()
		if rep.Clean != clean || clean != (rep.Begun == nil) || rep.Begun != nil && !strings.Contains(rep.Begun.Why, why) {
			t.Errorf("%s: clean %v, begun %+v", what, rep.Clean, rep.Begun)
		}
		if got, err := readAll(db); err != nil || diff(want, got) != nil {
			t.Errorf("%s: %v, %v", what, err, diff(want, got))
		}
		mustClose(t, db)
	}
	opened("closed", fsys.Clone(), true, "")
	opened("copied", fsys.Copy(), false, "copy")

	changed := fsys.Clone() // as a copy in an inode of the same number has it
	f, err := changed.OpenWrite(newest)
	if err == nil {
		_, err = f.WriteAt([]byte("varve"), 0)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	opened("written by somebody else", changed, false, "copied or changed")

	bare := fsys.Clone()
	if err := bare.Remove(segment.LockName); err != nil {
		t.Fatal(err)
	}
	opened("without a witness", bare, false, "does not tell")

	again := fsys.Clone()
	for range 3 {
		db := mustOpen(t, again, Options{})
		mustPut(t, db, "more", "more")
		mustClose(t, db)
		if rep := db.OpenReport(); !rep.Clean {
			t.Errorf("again: %+v", rep)
		}
	}
}

// TestReadersBesideACloseSeeNoDamage has a process open the store, write to it and close it
// again at each call of a reader, and of a check: none takes the log that it has read for
// one that ends below the witness that came later.
func TestReadersBesideACloseSeeNoDamage(t *testing.T) {
	base, _, want := closedStore(t)
	// beside runs do, with a session of a writer before its call n. It reports whether do came
	// to that call.
	beside := func(n int, fsys *crashfs.FS, do func()) bool {
		var calls atomic.Int64
		var busy atomic.Bool
		fsys.Fail(func(crashfs.Op) error { // headers are read by several goroutines
			if !busy.Load() && calls.Add(1) == int64(n) {
				busy.Store(true)
				db := mustOpen(t, fsys, Options{})
				mustPut(t, db, "new", "new")
				mustClose(t, db)
				busy.Store(false)
			}
			return nil
		})
		defer fsys.Fail(nil)
		do()
		return calls.Load() >= int64(n)
	}
	for n := 1; ; n++ {
		fsys := base.Clone()
		if !beside(n, fsys, func() {
			r, err := openReader(fsys, resolve(t, Options{}))
			if err != nil {
				t.Errorf("a writer before call %d of a reader: %v", n, err)
				return
			}
			defer r.Close()
			got, err := readAll(r)
			delete(got, "new")
			if err := errors.Join(err, diff(want, got)); err != nil {
				t.Errorf("a writer before call %d of a reader: %v", n, err)
			}
		}) {
			break
		}
	}
	for n := 1; ; n++ {
		fsys := base.Clone()
		if !beside(n, fsys, func() {
			r, err := check.Run(t.Context(), vfs.AsFS(fsys), check.Options{Level: integrity.Full, Workers: 1,
				Writer: func() (bool, error) { return fsys.Locked(segment.LockName) }})
			if err != nil || len(r.Findings) > 0 {
				t.Errorf("a writer before call %d of a check: %v, %+v", n, err, r)
			}
		}) {
			break
		}
	}
}
