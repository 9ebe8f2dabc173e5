package integrity_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
)

// salvaged runs Salvage and returns the objects by key.
func salvaged(t testing.TB, fsys vfs.FS) (*integrity.Salvaged, map[string]integrity.Object, error) {
	got := map[string]integrity.Object{}
	last := uint64(0)
	var orderErr error
	s, err := integrity.Salvage(t.Context(), vfs.AsFS(fsys), integrity.SalvageOptions{Object: func(o integrity.Object) error {
		if o.Seq <= last {
			orderErr = fmt.Errorf("number %d after %d", o.Seq, last)
		}
		last = o.Seq
		k := string(o.Key)
		if _, twice := got[k]; twice {
			orderErr = fmt.Errorf("%s twice", k)
		}
		o.Key, o.Value, o.Meta = bytes.Clone(o.Key), bytes.Clone(o.Value), bytes.Clone(o.Meta)
		got[k] = o
		return nil
	}})
	return s, got, errors.Join(err, orderErr)
}

// audit compares what was salvaged with what was put: each number is found or
// listed, nothing is found that was not put, no old value is passed off as the
// current one, and nothing is called lost that is not.
func audit(x *fixture, s *integrity.Salvaged, got map[string]integrity.Object) error {
	unknown := func(n uint64) bool { // lost, and nobody knows of which key
		for _, l := range s.Lost {
			if l.Kind != integrity.LostPut && l.FirstSeq != 0 && n >= l.FirstSeq && (n <= l.LastSeq || l.LastSeq == 0) {
				return true
			}
		}
		return false
	}
	named := map[uint64]integrity.Loss{}
	limit, bounded := s.LastSeq, true
	for _, l := range s.Lost {
		if l.Kind == integrity.LostPut {
			named[l.FirstSeq] = l
			if c := x.model[l.FirstSeq-1]; c.key != string(l.KeyBytes) || c.value == nil || l.LastSeq != l.FirstSeq {
				return fmt.Errorf("number %d is no put of %s", l.FirstSeq, l.Key)
			}
		}
		limit = max(limit, l.LastSeq)
		if l.Kind == integrity.LostSegment && l.LastSeq == 0 {
			bounded = false
			limit = uint64(len(x.model))
		}
	}
	if limit > uint64(len(x.model)) {
		return fmt.Errorf("number %d was never given", limit)
	}
	if n := s.Numbers + s.LostNumbers; bounded && n != limit {
		return fmt.Errorf("%d numbers found and %d lost, of %d", s.Numbers, s.LostNumbers, limit)
	}
	newest := map[string]uint64{}
	before := map[string][]uint64{}
	for i, c := range x.model[:limit] {
		newest[c.key] = uint64(i + 1)
		before[c.key] = append(before[c.key], uint64(i+1))
	}
	stale, lostObjects := int64(0), int64(0)
	for n, l := range named {
		all := before[string(l.KeyBytes)]
		if newer := all[slices.Index(all, n)+1:]; !slices.ContainsFunc(newer, func(m uint64) bool { return !unknown(m) }) {
			lostObjects++ // as far as anybody can tell
			if !l.Newest {
				return fmt.Errorf("%s: nothing newer than number %d is known", l.Key, n)
			}
		} else if l.Newest {
			return fmt.Errorf("%s: there is a newer one than number %d", l.Key, n)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(newest)) {
		n := newest[k]
		o, ok := got[k]
		if ok {
			c := x.model[o.Seq-1]
			if c.key != k || !bytes.Equal(c.value, o.Value) || c.value == nil || len(o.Meta) != 4 {
				return fmt.Errorf("%s: what was never put: number %d", k, o.Seq)
			}
			if o.MayBeStale {
				stale++
			}
		}
		l, isNamed := named[n]
		switch {
		case isNamed:
			if ok {
				return fmt.Errorf("%s: number %d is lost, and yet there is %d, %+v", k, n, o.Seq, l)
			}
			if err := checkOlder(x, &l, before[k], named, unknown); err != nil {
				return err
			}
		case ok && o.Seq == n, !ok && x.model[n-1].value == nil:
		case !unknown(n):
			return fmt.Errorf("%s: number %d is neither found nor lost; there is %d", k, n, o.Seq)
		case ok && !o.MayBeStale:
			return fmt.Errorf("%s: number %d is lost, and the old %d is called current", k, n, o.Seq)
		}
	}
	for k := range got {
		if _, ok := newest[k]; !ok {
			return fmt.Errorf("%s was never put", k)
		}
	}
	if s.Objects != int64(len(got)) || s.MayBeStale != stale || s.LostObjects != lostObjects {
		return fmt.Errorf("counted %d objects, %d stale, %d lost; there are %d, %d and %d", s.Objects, s.MayBeStale, s.LostObjects, len(got), stale, lostObjects)
	}
	return nil
}

// checkOlder holds the older version of a lost one to the model.
func checkOlder(x *fixture, l *integrity.Loss, all []uint64, named map[uint64]integrity.Loss, unknown func(uint64) bool) error {
	for _, n := range slices.Backward(all) {
		_, lost := named[n]
		if n == l.FirstSeq || lost || unknown(n) {
			continue
		}
		if x.model[n-1].value == nil {
			break
		}
		if l.Older == nil || l.Older.Seq != n {
			return fmt.Errorf("%s: the version before %d is %d, and not %+v", l.Key, l.FirstSeq, n, l.Older)
		}
		return nil
	}
	if l.Older != nil {
		return fmt.Errorf("%s: there is no version before %d, and not %+v", l.Key, l.FirstSeq, l.Older)
	}
	return nil
}

// TestSalvagedAndLostAreAll, for each injury, and nothing is changed.
func TestSalvagedAndLostAreAll(t *testing.T) {
	x := newFixture(t)
	for _, in := range harms {
		t.Run(in.name, func(t *testing.T) {
			p := x.injured(t, in)
			before := p.fs.Clone()
			s, got, err := salvaged(t, p.fs)
			testkit.Must(t, err)
			if err := audit(x, s, got); err != nil {
				t.Errorf("%v; %+v", err, s)
			}
			if in.alone == healed && (s.LostNumbers > 0 || len(got) != len(x.current())) {
				t.Errorf("nothing is lost, but for %+v", s.Lost)
			}
			if in.alone == left && len(s.Lost) == 0 {
				t.Error("nothing is called lost")
			}
			sameFiles(t, p.fs, before)
		})
	}
}

// TestSalvageOfEveryFlip flips bytes of every file, one at a time, and takes pairs of places.
// A flip costs at most the record that it is in. VARVE_DAMAGE=all takes every byte.
func TestSalvageOfEveryFlip(t *testing.T) {
	x := newFixture(t)
	step := 11
	if os.Getenv("VARVE_DAMAGE") != "" {
		step = 1
	}
	for _, name := range append([]string{x.newest}, x.sealed...) {
		for at := 0; at < len(x.fs.Bytes(name)); at += step {
			p := &casualty{fixture: x, TB: t, fs: x.fs.Clone()}
			p.edit(name, flipAt(at))
			s, got, err := salvaged(t, p.fs)
			testkit.Must(t, err)
			if err := audit(x, s, got); err != nil {
				t.Fatalf("%s, flip at %d: %v; %+v", name, at, err, s)
			}
			if s.LostNumbers > 1 {
				t.Fatalf("%s, flip at %d: lost %+v", name, at, s.Lost)
			}
			p.edit(x.sealed[at%len(x.sealed)], zeroAt(at*7%4000, 300))
			p.edit(x.sealed[(at+1)%len(x.sealed)], flipAt(-at/9-1))
			if s, got, err = salvaged(t, p.fs); err != nil {
				t.Fatal(err)
			}
			if err := audit(x, s, got); err != nil {
				t.Fatalf("%s, damage at %d in three places: %v; %+v", name, at, err, s)
			}
		}
	}
}

// TestSalvageOfTwoDamagedFilesOfOneSegment: what one of them lacks the other has.
func TestSalvageOfTwoDamagedFilesOfOneSegment(t *testing.T) {
	x := newFixture(t)
	p := x.injured(t, harm{do: func(p *casualty) {
		p.fs.SetBytes(ninetyNine+".seg", p.fs.Bytes(p.sealed[2]))
		p.edit(p.sealed[2], flipAt(700))
		p.edit(p.sealed[2], flipAt(1200))
		p.edit(p.sealed[2], flipAt(2900))
		p.edit(p.sealed[2], flipAt(3300))
		p.edit(ninetyNine+".seg", zeroAt(1500, 700))
	}})
	s, got, err := salvaged(t, p.fs)
	testkit.Must(t, err)
	if err := audit(x, s, got); err != nil || s.LostNumbers > 0 || len(got) != len(x.current()) {
		t.Errorf("%v; %+v", err, s)
	}
}

// TestSalvageOfCuts cuts every file short: what is beyond is lost, unless it was the newest
// log, which then looks as after a crash.
func TestSalvageOfCuts(t *testing.T) {
	x := newFixture(t)
	for _, name := range append([]string{x.newest}, x.sealed...) {
		for at := 0; at < len(x.fs.Bytes(name)); at += 17 {
			p := &casualty{fixture: x, TB: t, fs: x.fs.Clone()}
			p.edit(name, func(b []byte) []byte { return b[:at] })
			s, got, err := salvaged(t, p.fs)
			testkit.Must(t, err)
			if err := audit(x, s, got); err != nil {
				t.Fatalf("%s, cut at %d: %v; %+v", name, at, err, s)
			}
		}
	}
}

// TestSalvageWithAFailingDisk fails each read, once and for good: what cannot be read is
// lost, and said so.
func TestSalvageWithAFailingDisk(t *testing.T) {
	x := newFixture(t)
	for _, once := range []bool{true, false} {
		for n := int64(1); ; n++ {
			fsys := x.fs.Clone()
			var reads atomic.Int64 // files are read by several goroutines
			var hit atomic.Bool
			fsys.Fail(func(op crashfs.Op) error {
				if op.Kind != crashfs.OpRead && op.Kind != crashfs.OpOpen {
					return nil
				}
				if now := reads.Add(1); now == n || now > n && !once {
					hit.Store(true)
					return errors.New("the disk fails")
				}
				return nil
			})
			s, got, err := salvaged(t, fsys)
			testkit.Must(t, err)
			if !hit.Load() {
				break
			}
			if _, names := got[""]; names {
				t.Fatal("an object without a key")
			}
			for k, o := range got {
				if c := x.model[o.Seq-1]; c.key != k || !bytes.Equal(c.value, o.Value) {
					t.Fatalf("read %d fails: %s: what was never put: %d", n, k, o.Seq)
				}
				if want, ok := x.current()[k]; !o.MayBeStale && (!ok || want != string(o.Value)) {
					t.Fatalf("read %d fails: %s: number %d is called current; %+v", n, k, o.Seq, s)
				}
			}
			if len(got) < len(x.current()) && len(s.Lost) == 0 {
				t.Fatalf("read %d fails: %d objects, and nothing is lost", n, len(got))
			}
		}
	}
}
