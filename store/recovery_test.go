package store

import (
	"bytes"
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
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/segment"
)

// A log that an open began was complete before it had its name, so its header
// is never torn.
func TestDamagedHeaderOfALogThatAnOpenBegan(t *testing.T) {
	g := newGround(t, true)
	mustClose(t, mustOpen(t, g.fs, small))
	g.look()
	g.edit(g.newest, flipped(70))
	if _, err := openFS(g.fs, resolve(t, small)); !isDamage(err) {
		t.Errorf("open: %v", err)
	}
}

// The first write to a log that a roll began may be torn so that a block of some
// freed file stands at its beginning, header and all.
func TestTornFirstWriteShowsAnotherHeader(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(g *ground) []byte
	}{
		{"of a sealed segment", func(g *ground) []byte { return g.fs.Bytes(g.sealed[0])[:512] }},
		{"of another store", func(g *ground) []byte { return g.stranger(false)[:512] }},
		{"garbage", func(g *ground) []byte { return []byte(strings.Repeat("garbage!", 64)) }},
		{"zeros", func(g *ground) []byte { return make([]byte, 512) }},
		{"of a recovery that was cut off under the same id", func(g *ground) []byte {
			s, err := integrity.Survey(g.fs)
			if err != nil {
				g.Fatal(err)
			}
			h, _, err := segment.ParseHeader(g.fs.Bytes(s.NewestLog().Name))
			if err != nil {
				g.Fatal(err)
			}
			h.Ref.Timeline++
			live := slices.Collect(h.Live.All())
			h.Live, h.Replaced = segment.SetOf(live[:len(live)-1]...), segment.Ref{Timeline: 5, ID: h.Ref.ID - 2}
			return append(h.Append(nil), make([]byte, 100)...)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGround(t, true)
			b := c.with(g)
			g.fs.SetBytes(g.newest, b)
			r, err := openReader(g.fs, resolve(t, small))
			if err != nil {
				t.Fatal(err)
			}
			seen, err := readAll(r)
			if err != nil {
				t.Fatal(err)
			}
			mustClose(t, r)
			db := mustOpen(t, g.fs, small)
			if rep := db.OpenReport(); rep.Cut == nil || rep.Cut.Bytes != int64(len(b)) {
				t.Errorf("report: %+v", rep)
			}
			if got, err := readAll(db); err != nil || diff(seen, got) != nil || len(got) < 40 {
				t.Errorf("%d objects, %v; a reader saw something else: %v", len(got), err, diff(seen, got))
			}
			g.forget()
			g.goOn(db)
		})
	}
}

// TestUnsealedLogs opens stores of which several logs are not sealed.
func TestUnsealedLogs(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(i int, b []byte, records int64) (sealed bool, left []byte)
	}{
		{"none is sealed", func(i int, b []byte, records int64) (bool, []byte) { return false, b[:records] }},
		{"all have their footers and old names", func(i int, b []byte, records int64) (bool, []byte) { return false, b }},
		{"every other one is sealed", func(i int, b []byte, records int64) (bool, []byte) {
			if i%2 == 0 {
				return true, b
			}
			return false, b[:records]
		}},
		{"footers are torn", func(i int, b []byte, records int64) (bool, []byte) {
			return false, append(b[:records:records], make([]byte, int64(len(b))-records)...)
		}},
		{"footers are cut off", func(i int, b []byte, records int64) (bool, []byte) {
			return false, b[:records+(int64(len(b))-records)*int64(i)/5]
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGround(t, true)
			was := files(g.fs)
			n := 0
			for i, name := range g.sealed {
				b := g.fs.Bytes(name)
				sealed, left := c.do(i, b, recordsEnd(t, g.fs, name))
				if sealed {
					continue
				}
				n++
				g.remove(name)
				g.fs.SetBytes(strings.TrimSuffix(name, ".seg")+".open", left)
			}
			db := mustOpen(t, g.fs, small)
			if r := db.OpenReport(); len(r.Sealed) != n {
				t.Errorf("sealed %v, want %d", r.Sealed, n)
			}
			for _, name := range g.sealed {
				if string(g.fs.Bytes(name)) != was[name] {
					t.Errorf("%s: sealing it again gave other bytes", name)
				}
			}
			g.goOn(db)
		})
	}
}

func recordsEnd(t *testing.T, fsys *crashfs.FS, name string) int64 {
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := segment.NewReader(f, int64(len(fsys.Bytes(name))))
	if err != nil {
		t.Fatal(err)
	}
	footer, err := r.OpenFooter()
	if err != nil {
		t.Fatal(err)
	}
	return footer.RecordsEnd
}

func TestCopiesGoTheirOwnWays(t *testing.T) {
	g := newGround(t, false)
	timelines := map[segment.Timeline]bool{}
	for _, fsys := range []*crashfs.FS{g.fs, g.fs.Copy(), g.fs.Copy()} {
		db := mustOpen(t, fsys, small)
		r := db.OpenReport()
		timelines[r.Timeline] = true
		if fsys != g.fs && (r.Clean || r.Begun == nil || !strings.Contains(r.Begun.Why, "copy")) {
			t.Errorf("a copy: %+v", r)
		}
		c := &ground{T: t, fs: fsys, want: map[string]string{}}
		for k, v := range g.want {
			c.want[k] = v
		}
		c.goOn(db)
	}
	if len(timelines) != 3 {
		t.Errorf("timelines %v", timelines)
	}
}

func TestCreationIsCutOff(t *testing.T) {
	fsys := crashfs.New()
	rec := fsys.Record()
	mustClose(t, mustOpen(t, fsys, small))
	n := 0
	for op := range rec.Ops() + 1 {
		for state, crashed := range rec.At(op).States(1) {
			n++
			db, err := openFS(crashed, resolve(t, small))
			if err != nil {
				t.Fatalf("cut after operation %d (%v), %v: %v", op, rec.Op(op), state, err)
			}
			(&ground{T: t, fs: crashed, want: map[string]string{}}).goOn(db)
		}
	}
	t.Logf("%d states", n)
}

// A disk that cannot be read is neither a torn tail nor damage.
func TestReadErrorsDecideNothing(t *testing.T) {
	g := newGround(t, true)
	g.add(make([]byte, 700))
	for n, more := 1, true; more; n++ {
		var hit atomic.Bool // the store's goroutines read too
		fail := crashfs.FailNth(n, syscall.EIO, false, crashfs.OpRead)
		fsys := g.fs.Clone()
		before := files(fsys)
		fsys.Fail(func(op crashfs.Op) error {
			err := fail(op)
			if err != nil {
				hit.Store(true)
			}
			return err
		})
		db, err := openFS(fsys, resolve(t, small))
		more = hit.Load()
		if err == nil {
			db.Close()
			if more {
				t.Errorf("read %d failed, and the store was opened: %+v", n, db.OpenReport())
			}
			continue
		}
		if !errors.Is(err, syscall.EIO) || isDamage(err) {
			t.Errorf("read %d: %v", n, err)
		}
		for name, b := range before {
			if string(fsys.Bytes(name)) != b {
				t.Errorf("read %d failed, and %s was changed", n, name)
			}
		}
	}
}

func TestIdleStoreWritesAMark(t *testing.T) {
	for _, d := range []Durability{SyncAlways, SyncEvery(20 * time.Millisecond)} {
		synctest.Test(t, func(t *testing.T) {
			fsys := crashfs.New()
			db := mustOpen(t, fsys, Options{Durability: d})
			for range 3 {
				mustPut(t, db, "k", "v")
				if err := db.Sync(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(50 * time.Millisecond)
				s, err := integrity.Survey(fsys)
				if err != nil {
					t.Fatal(err)
				}
				st, err := resolveState(s, &Options{Integrity: integrity.Log}, false)
				if err != nil {
					t.Fatal(err)
				}
				if st.V.Durable != st.V.End-segment.MarkSize {
					t.Errorf("%v: 50 ms after the sync the log is vouched for to %d of %d", d, st.V.Durable, st.V.End)
				}
				st.Close()
			}
			ops := fsys.Ops()
			time.Sleep(time.Minute)
			if n := fsys.Ops() - ops; n != 0 {
				t.Errorf("%v: an idle store made %d operations", d, n)
			}
			mustClose(t, db)
		})
	}
}

func TestSegmentSizeMayChange(t *testing.T) {
	fsys := crashfs.New()
	want := map[string]string{}
	for i, size := range []int64{1 << 20, 4 << 10, 64 << 10, 4 << 10, 1 << 20} {
		for j := range 2 {
			db := mustOpen(t, fsys, Options{SegmentSize: size})
			for n := range 30 {
				k, v := fmt.Sprintf("%d/%d/%d", i, j, n), strings.Repeat("v", 300)
				mustPut(t, db, k, v)
				want[k] = v
			}
			mustHold(t, db, want)
			mustClose(t, db)
		}
		if i%2 == 0 {
			fsys = fsys.Copy()
		}
	}
}

func TestALostLogThatComesBackIsLeftAloneForGood(t *testing.T) {
	g := newGround(t, true)
	lost := g.newest
	b := g.fs.Bytes(lost)
	g.remove(lost)
	r, err := openReader(g.fs, resolve(t, small))
	if err != nil {
		t.Fatal(err)
	}
	if rep := r.OpenReport(); rep.Lost == nil || logName(rep.Lost.ID) != lost {
		t.Errorf("a reader says that %v is lost, not %s", rep.Lost, lost)
	}
	mustClose(t, r)
	accept := small
	accept.AcceptLostLog = true
	db := mustOpen(t, g.fs, accept)
	if rep := db.OpenReport(); rep.Lost == nil || logName(rep.Lost.ID) != lost {
		t.Errorf("the open says that %v is lost, not %s", rep.Lost, lost)
	}
	mustClose(t, db)
	g.fs.SetBytes(lost, b)
	for range 3 { // killed each time, so that each open writes a log anew
		db := mustOpen(t, g.fs, small)
		mustPut(t, db, "a", "b")
		killed := g.fs.Kill()
		mustClose(t, db)
		g.fs = killed
	}
	if got := g.fs.Bytes(lost); !bytes.Equal(got, b) {
		t.Errorf("%s was changed", lost)
	}
}

// TestTheLogOfADamagedSealIsKept has a seal that was written anew, and damaged, beside
// the log that it was made from: that log is the only sound copy, and stays.
func TestTheLogOfADamagedSealIsKept(t *testing.T) {
	h := newHurt(t, 41)
	seg, log := sealName(h.refs[2].ID), logName(h.refs[2].ID)
	whole := bytes.Clone(h.fs.Bytes(seg))
	for _, damaged := range []bool{false, true} {
		c := h.fs.Copy()
		c.SetBytes(log, whole)
		if damaged {
			b := bytes.Clone(whole)
			b[400] ^= 1
			c.SetBytes(seg, b)
		}
		db, err := openFS(c, resolve(t, Options{}))
		if err != nil {
			t.Fatal(err)
		}
		notes := len(db.OpenReport().Notes)
		mustClose(t, db)
		if there := slices.Contains(c.Names(), log); there != damaged || notes > 0 != damaged {
			t.Errorf("damaged %v: the log is there: %v; %d notes", damaged, there, notes)
		}
	}
}
