package repair_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/internal/fixture"
	"github.com/varve-db/varve/integrity/repair"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// TestRepairFromACopyMakesTheFilesThoseOfTheCopy, for each harm; and the copy stays as
// it is, a second repair finds nothing to do, and a plan changes nothing.
func TestRepairFromACopyMakesTheFilesThoseOfTheCopy(t *testing.T) {
	x := fixture.New(t)
	for _, in := range fixture.Harms {
		t.Run(in.Name, func(t *testing.T) {
			p := x.Injured(t, in)
			before := p.FS.Clone()
			o := repair.Options{From: fixture.CopyOfStore(x.FS)}
			planned, err := repair.MakePlan(t.Context(), p.FS, o)
			testkit.Must(t, err)
			fixture.SameFiles(t, p.FS, before)
			done, err := repair.Run(t.Context(), p.FS, o)
			testkit.Must(t, err)
			if len(planned.Steps) != len(done.Steps) || len(planned.Left) != len(done.Left) {
				t.Errorf("planned %+v, %+v; done %+v, %+v", planned.Steps, planned.Left, done.Steps, done.Left)
			}
			if in.Alone == fixture.Never {
				if len(done.Left) == 0 {
					t.Error("nothing is left")
				}
				fixture.SameFiles(t, p.FS, before)
				return
			}
			if len(done.Left) > 0 {
				t.Errorf("left: %+v", done.Left)
			}
			fixture.SameFiles(t, p.FS, x.FS)
			for _, name := range x.Sealed {
				if info, err := p.FS.Stat(name); err != nil || info.Mode() != 0o400 {
					t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
				}
			}
			again, err := repair.Run(t.Context(), p.FS, o)
			testkit.Must(t, err)
			if len(again.Steps)+len(again.Left) > 0 {
				t.Errorf("a second repair: %+v %+v", again.Steps, again.Left)
			}
			keptAll(t, before, p.FS)
		})
	}
}

// TestRepairOfEveryFlip flips a byte of a file, and heals it from a copy: all files are
// those of the copy again. VARVE_DAMAGE=all takes every byte, else a share of them and each
// byte of a header's and a trailer's version.
func TestRepairOfEveryFlip(t *testing.T) {
	x := fixture.New(t)
	for _, name := range append([]string{x.Newest}, x.Sealed...) {
		size := len(x.FS.Bytes(name))
		for at := range size {
			version := at == 8 || at == 9 || at == size-12 || at == size-11
			if at%131 != 0 && !version && os.Getenv("VARVE_DAMAGE") == "" {
				continue
			}
			p := &fixture.Casualty{Store: x, TB: t, FS: x.FS.Clone()}
			p.Edit(name, fixture.FlipAt(at))
			testkit.Must(t, p.FS.SyncDir("."))
			before := p.FS.Clone()
			done, err := repair.Run(t.Context(), p.FS, repair.Options{From: fixture.CopyOfStore(x.FS)})
			if err != nil || len(done.Left) > 0 {
				t.Errorf("%s, flip at %d: %+v, %v", name, at, done, err)
			}
			fixture.SameFiles(t, p.FS, x.FS)
			keptAll(t, before, p.FS)
			if t.Failed() {
				t.Fatalf("%s, flip at %d", name, at)
			}
		}
	}
}

// keptAll fails the test if bytes of before are in no file of now.
func keptAll(t testing.TB, before, now *crashfs.FS) {
	t.Helper()
	for name, b := range fixture.FilesOf(before) {
		found := strings.HasSuffix(name, ".tmp") // worth nothing, and written over
		for _, n := range now.Names() {
			found = found || bytes.Equal(now.Bytes(n), b)
		}
		if !found {
			t.Errorf("%s is deleted", name)
		}
	}
	for _, n := range now.Names() {
		if strings.HasPrefix(n, "quarantine/") && before.Bytes(n) == nil && !strings.HasSuffix(n, ".json") && len(now.Bytes(n+".json")) == 0 {
			t.Errorf("%s has no description", n)
		}
	}
}

// TestRepairAlone heals what can be healed out of the store itself, and leaves the
// rest as it is.
func TestRepairAlone(t *testing.T) {
	x := fixture.New(t)
	for _, in := range fixture.Harms {
		t.Run(in.Name, func(t *testing.T) {
			p := x.Injured(t, in)
			before := p.FS.Clone()
			was, wasErr := fixture.HeldBy(p.FS)
			done, err := repair.Run(t.Context(), p.FS, repair.Options{})
			testkit.Must(t, err)
			keptAll(t, before, p.FS)
			got, gotErr := fixture.HeldBy(p.FS)
			switch in.Alone {
			case fixture.Healed, fixture.Opens:
				if len(done.Left) > 0 || gotErr != nil {
					t.Fatalf("left: %+v; %v", done.Left, gotErr)
				}
				if !maps.Equal(got, x.Current()) {
					t.Error("another content")
				}
				if in.Alone == fixture.Healed {
					fixture.SameFiles(t, p.FS, x.FS)
				}
			case fixture.Left, fixture.Never:
				if len(done.Left) == 0 || done.Left[0].Next == "" {
					t.Errorf("left: %+v, steps %+v", done.Left, done.Steps)
				}
			}
			if wasErr == nil && (gotErr != nil || !maps.Equal(was, got)) {
				t.Errorf("it had opened, and now: %v", gotErr)
			}
		})
	}
}

// TestRepairGoesOnWithItsOwnBytesBehindAnOlderCopy: damage in the part of the newest log that an
// older copy has, and sound records behind.
func TestRepairGoesOnWithItsOwnBytesBehindAnOlderCopy(t *testing.T) {
	x := fixture.New(t)
	whole := x.Killed.Bytes(x.Newest)
	short := len(x.Early.Bytes(x.Newest))
	if len(whole) <= short+200 {
		t.Fatalf("%d bytes, of which the copy has %d", len(whole), short)
	}
	for at := range short {
		if at == 8 || at == 9 { // the version: another one is not touched
			continue
		}
		p := &fixture.Casualty{Store: x, TB: t, FS: x.FS.Clone()}
		p.Edit(x.Newest, fixture.FlipAt(at))
		done, err := repair.Run(t.Context(), p.FS, repair.Options{From: fixture.CopyOfStore(x.Early)})
		testkit.Must(t, err)
		if err := fixture.DifferFrom(p.FS, x.FS); err != nil || len(done.Left) > 0 {
			t.Fatalf("flip at %d: %v; left %+v", at, err, done.Left)
		}
	}
	// Behind what the copy has, nothing helps but to say so.
	p := &fixture.Casualty{Store: x, TB: t, FS: x.FS.Clone()}
	p.Edit(x.Newest, fixture.FlipAt(short+40))
	before := p.FS.Clone()
	done, err := repair.Run(t.Context(), p.FS, repair.Options{From: fixture.CopyOfStore(x.Early)})
	testkit.Must(t, err)
	if len(done.Left) != 1 || len(done.Steps) != 0 {
		t.Errorf("left: %+v, steps %+v", done.Left, done.Steps)
	}
	fixture.SameFiles(t, p.FS, before)
}

// TestRepairRefusesAWrongCopy: damaged, of another store, or of another history.
func TestRepairRefusesAWrongCopy(t *testing.T) {
	x := fixture.New(t)
	hurt := func(p *fixture.Casualty) { p.Edit(p.Sealed[1], fixture.FlipAt(700)) }
	for name, spoil := range map[string]func(q *fixture.Casualty){
		"damaged at the same place": func(q *fixture.Casualty) { q.Edit(q.Sealed[1], fixture.FlipAt(700)) },
		"damaged at another place":  func(q *fixture.Casualty) { q.Edit(q.Sealed[1], fixture.FlipAt(1500)) },
		"cut off before that":       func(q *fixture.Casualty) { q.Edit(q.Sealed[1], func(b []byte) []byte { return b[:600] }) },
		"without it":                func(q *fixture.Casualty) { q.Remove(q.Sealed[1]) },
		"another segment of the name": func(q *fixture.Casualty) {
			q.Edit(q.Sealed[1], func(b []byte) []byte { return forgedSegment(q, b, 0) })
		},
		"another header of the name": func(q *fixture.Casualty) {
			q.Edit(q.Sealed[1], func(b []byte) []byte { return forgedSegment(q, b, 1) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := x.Injured(t, fixture.Harm{Do: spoil})
			p := x.Injured(t, fixture.Harm{Do: hurt})
			if strings.Contains(name, "header") { // only that tells them apart
				p.Edit(p.Sealed[1], fixture.FlipAt(-60))
			}
			fsys := p.FS.Clone()
			done, err := repair.Run(t.Context(), fsys, repair.Options{From: fixture.CopyOfStore(q.FS)})
			testkit.Must(t, err)
			if len(done.Left) == 0 || !strings.Contains(done.Left[0].Reason, "the copy") {
				t.Errorf("left: %+v, steps: %+v", done.Left, done.Steps)
			}
			fixture.SameFiles(t, fsys, p.FS)
		})
	}
	other := fixture.New(t)
	if _, err := repair.Run(t.Context(), x.Injured(t, fixture.Harm{Do: hurt}).FS, repair.Options{From: fixture.CopyOfStore(other.FS)}); !errors.Is(err, integrity.ErrNotStore) {
		t.Errorf("with another store: %v", err)
	}
}

// forged makes another sound segment of the same name, as a fork of the store would
// have if timelines did not tell forks apart: the value of its first put is another.
// Or its time of creation is.
func forgedSegment(t testing.TB, b []byte, later int64) []byte {
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	testkit.Must(t, err)
	r.Header.Time += later
	out := r.Header.Append(nil)
	first := later == 0
	for rec, err := range r.Records(segment.Span{Depth: segment.WithValues}) {
		testkit.Must(t, err)
		if rec.Kind == segment.Put && first {
			first = false
			rec.Value = bytes.Repeat([]byte{'f'}, len(rec.Value))
		}
		out = r.ChecksumSeed().AppendRecord(out, int64(len(out)), rec)
	}
	end := int64(len(out))
	r, err = segment.NewReader(bytes.NewReader(out), end)
	testkit.Must(t, err)
	footer, _, err := r.Seal(end)
	testkit.Must(t, err)
	return append(out, footer...)
}

// TestRepairIsRefusedWhileAWriterIsAtWork.
func TestRepairIsRefusedWhileAWriterIsAtWork(t *testing.T) {
	x := fixture.New(t)
	lock, _, err := x.FS.Lock(segment.LockName, "me")
	testkit.Must(t, err)
	if _, err := repair.Run(t.Context(), x.FS, repair.Options{}); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("repair: %v", err)
	}
	if _, err := repair.MakePlan(t.Context(), x.FS, repair.Options{}); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("plan: %v", err)
	}
	testkit.Must(t, lock.Close())
	empty := crashfs.New()
	if _, err := repair.Run(t.Context(), empty, repair.Options{}); !errors.Is(err, integrity.ErrNotStore) || len(empty.Names()) > 0 {
		t.Errorf("an empty folder: %v, %v", err, empty.Names())
	}
}

// operated are the harms on which repair is cut off and made to fail.
var operated = []string{
	"values all over", "a block of the table", "a sealed segment missing", "a segment twice, one of them damaged", "three names in a circle",
	"a wrong name and damage", "the newest log damaged where it was on the disk", "several segments and the newest log", "a wrong mode",
	"a log beside the segment that it was sealed to", "a segment of another store in the place of ours", "the newest log missing",
}

// TestRepairCutOffAnywhere cuts the power at every operation of a repair. Whatever is left
// opens as before or better, and a second repair comes to the same end. Seed 1.
func TestRepairCutOffAnywhere(t *testing.T) {
	x := fixture.New(t)
	want := x.Current()
	states := 0
	for _, noLinks := range []bool{false, true} {
		for _, in := range fixture.Harms {
			if !slices.Contains(operated, in.Name) || testing.Short() && noLinks {
				continue
			}
			p := x.Injured(t, in)
			before := p.FS.Clone()
			_, wasErr := fixture.HeldBy(p.FS)
			for _, from := range []repair.Donor{fixture.CopyOfStore(x.FS), nil} {
				if from == nil && in.Alone != fixture.Healed {
					continue
				}
				fsys := p.FS.Clone()
				if noLinks {
					fsys.Fail(crashfs.FailNth(1, vfs.ErrUnsupported, false, crashfs.OpLink))
				}
				rec := fsys.Record()
				o := repair.Options{From: from}
				_, err := repair.Run(t.Context(), fsys, o)
				testkit.Must(t, err)
				for n := rec.First(); n <= rec.Ops(); n++ {
					i := 0
					for state, crashed := range rec.At(n).States(1) {
						if i++; i > 5 && os.Getenv("VARVE_DAMAGE") == "" {
							break
						}
						states++
						got, err := fixture.HeldBy(crashed)
						if wasErr == nil && err != nil && !noLinks || err == nil && !maps.Equal(got, want) {
							t.Fatalf("%s, links %v, cut after %v, %v: %v", in.Name, !noLinks, rec.Op(n), state, err)
						}
						left, err := repair.Run(t.Context(), crashed, o)
						if err != nil || len(left.Left) > 0 {
							t.Fatalf("%s, links %v, cut after %v, %v: the second repair: %v, left %+v", in.Name, !noLinks, rec.Op(n), state, err, left)
						}
						dropTmps(crashed)
						if err := fixture.DifferFrom(crashed, x.FS); err != nil {
							t.Fatalf("%s, links %v, cut after %v, %v: the second repair: %v", in.Name, !noLinks, rec.Op(n), state, err)
						}
						keptAll(t, before, crashed)
					}
				}
			}
		}
	}
	t.Logf("%d states", states)
}

// dropTmp removes unfinished files, as an open does.
func dropTmps(fsys *crashfs.FS) {
	for _, n := range fsys.Names() {
		if strings.HasSuffix(n, ".tmp") {
			fsys.Remove(n)
		}
	}
}

// TestRepairWithFailingCalls fails the calls of a repair, once and for good. It says so or
// has done its work, and a second repair without failures comes to the end. VARVE_DAMAGE=all
// takes every call; otherwise each harm has its turn with others.
func TestRepairWithFailingCalls(t *testing.T) {
	x := fixture.New(t)
	for _, in := range fixture.Harms {
		if !slices.Contains(operated, in.Name) {
			continue
		}
		p := x.Injured(t, in)
		before := p.FS.Clone()
		_, wasErr := fixture.HeldBy(p.FS)
		for _, once := range []bool{true, false} {
			step := int64(1)
			if os.Getenv("VARVE_DAMAGE") == "" {
				step = 5
			}
			for n := 1 + int64(slices.Index(operated, in.Name))%step; ; n += step {
				fsys := p.FS.Clone()
				var calls atomic.Int64 // several goroutines make them
				var hit atomic.Bool
				fsys.Fail(func(op crashfs.Op) error {
					if op.Kind == crashfs.OpUnlock {
						return nil // the end of the process does it
					}
					if now := calls.Add(1); now == n || now > n && !once {
						hit.Store(true)
						return syscall.EIO
					}
					return nil
				})
				o := repair.Options{From: fixture.CopyOfStore(x.FS)}
				done, err := repair.Run(t.Context(), fsys, o)
				fsys.Fail(nil)
				if !hit.Load() {
					break
				}
				if _, err := fixture.HeldBy(fsys); wasErr == nil && err != nil {
					t.Fatalf("%s, call %d fails: it had opened, and now: %v", in.Name, n, err)
				}
				again, againErr := repair.Run(t.Context(), fsys, o)
				if againErr != nil || len(again.Left) > 0 {
					t.Fatalf("%s, call %d fails (%v): the second repair: %v, left %+v", in.Name, n, err, againErr, again)
				}
				dropTmps(fsys)
				if err := fixture.DifferFrom(fsys, x.FS); err != nil {
					t.Fatalf("%s, call %d fails (%v, %+v): %v", in.Name, n, err, done, err)
				}
				if keptAll(t, before, fsys); t.Failed() {
					t.Fatalf("%s, call %d fails (%v): %+v, then %+v; %v", in.Name, n, err, done, again.Steps, fsys.Names())
				}
			}
		}
	}
}

// TestARepairedStoreOpens by package store, and holds all.
func TestARepairedStoreOpens(t *testing.T) {
	x := fixture.New(t)
	for _, name := range []string{"several segments and the newest log", "garbage behind the close", "every file"} {
		i := slices.IndexFunc(fixture.Harms, func(in fixture.Harm) bool { return in.Name == name })
		p := x.Injured(t, fixture.Harms[i])
		_, err := repair.Run(t.Context(), p.FS, repair.Options{From: fixture.CopyOfStore(x.FS)})
		testkit.Must(t, err)
		db, err := store.Open(fixture.UnloadFS(t, p.FS), nil)
		testkit.Must(t, err)
		got := map[string]string{}
		for o, err := range db.Scan(store.Range{}) {
			testkit.Must(t, err)
			got[string(o.Key)] = string(o.Value)
		}
		testkit.Must(t, db.Close())
		if !maps.Equal(got, x.Current()) {
			t.Errorf("%s: another content", name)
		}
	}
}

// TestACopyThatEndsBelowTheLastCloseIsRefused: of the newest log nothing is left that says how
// far it reached, but for the witness of the close. A copy of it, made before the last
// objects, is sound, and not what was acknowledged here.
func TestACopyThatEndsBelowTheLastCloseIsRefused(t *testing.T) {
	x := fixture.New(t)
	for name, injure := range map[string]func(p *fixture.Casualty){
		"zeroed": func(p *fixture.Casualty) { p.Edit(p.Newest, fixture.ZeroAt(0, len(p.FS.Bytes(p.Newest)))) },
		"gone":   func(p *fixture.Casualty) { p.Remove(p.Newest) },
	} {
		p := &fixture.Casualty{Store: x, TB: t, FS: x.FS.Clone()}
		p.FS.SetBytes(segment.LockName, x.Lock)
		injure(p)
		before := p.FS.Clone()
		done, err := repair.Run(t.Context(), p.FS, repair.Options{From: fixture.CopyOfStore(x.Early)})
		testkit.Must(t, err)
		if len(done.Left) == 0 || !strings.Contains(done.Left[0].Reason, "it has the log up to") || len(done.Steps) != 0 {
			t.Errorf("%s: left: %+v, steps %+v", name, done.Left, done.Steps)
		}
		fixture.SameFiles(t, p.FS, before)
		// One that was made after the close is taken.
		done, err = repair.Run(t.Context(), p.FS, repair.Options{From: fixture.CopyOfStore(x.FS)})
		testkit.Must(t, err)
		if len(done.Left) != 0 {
			t.Errorf("%s: left: %+v, with the whole copy", name, done.Left)
		}
		if err := fixture.DifferFrom(p.FS, x.FS); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
