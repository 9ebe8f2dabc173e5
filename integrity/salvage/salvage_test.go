package salvage_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/varve-db/varve/integrity/internal/fixture"
	"github.com/varve-db/varve/integrity/salvage"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
)

// audit compares what was salvaged with what was put: each number is found or
// listed, nothing is found that was not put, no old value is passed off as the
// current one, and nothing is called lost that is not.
func audit(x *fixture.Store, s *salvage.Report, got map[string]salvage.Object) error {
	unknown := func(n uint64) bool { // lost, and nobody knows of which key
		for _, l := range s.Lost {
			if l.Kind != salvage.LostPut && l.FirstSeq != 0 && n >= l.FirstSeq && (n <= l.LastSeq || l.LastSeq == 0) {
				return true
			}
		}
		return false
	}
	named := map[uint64]salvage.Loss{}
	limit, bounded := s.LastSeq, true
	for _, l := range s.Lost {
		if l.Kind == salvage.LostPut {
			named[l.FirstSeq] = l
			if c := x.Model[l.FirstSeq-1]; c.Key != string(l.KeyBytes) || c.Value == nil || l.LastSeq != l.FirstSeq {
				return fmt.Errorf("number %d is no put of %s", l.FirstSeq, l.Key)
			}
		}
		limit = max(limit, l.LastSeq)
		if l.Kind == salvage.LostSegment && l.LastSeq == 0 {
			bounded = false
			limit = uint64(len(x.Model))
		}
	}
	if limit > uint64(len(x.Model)) {
		return fmt.Errorf("number %d was never given", limit)
	}
	if n := s.Numbers + s.LostNumbers; bounded && n != limit {
		return fmt.Errorf("%d numbers found and %d lost, of %d", s.Numbers, s.LostNumbers, limit)
	}
	newest := map[string]uint64{}
	before := map[string][]uint64{}
	for i, c := range x.Model[:limit] {
		newest[c.Key] = uint64(i + 1)
		before[c.Key] = append(before[c.Key], uint64(i+1))
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
			c := x.Model[o.Seq-1]
			if c.Key != k || !bytes.Equal(c.Value, o.Value) || c.Value == nil || len(o.Meta) != 4 {
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
		case ok && o.Seq == n, !ok && x.Model[n-1].Value == nil:
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
func checkOlder(x *fixture.Store, l *salvage.Loss, all []uint64, named map[uint64]salvage.Loss, unknown func(uint64) bool) error {
	for _, n := range slices.Backward(all) {
		_, lost := named[n]
		if n == l.FirstSeq || lost || unknown(n) {
			continue
		}
		if x.Model[n-1].Value == nil {
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
	x := fixture.New(t)
	for _, in := range fixture.Harms {
		t.Run(in.Name, func(t *testing.T) {
			p := x.Injured(t, in)
			before := p.FS.Clone()
			s, got, err := fixture.Salvaged(t, p.FS)
			testkit.Must(t, err)
			if err := audit(x, s, got); err != nil {
				t.Errorf("%v; %+v", err, s)
			}
			if in.Alone == fixture.Healed && (s.LostNumbers > 0 || len(got) != len(x.Current())) {
				t.Errorf("nothing is lost, but for %+v", s.Lost)
			}
			if in.Alone == fixture.Left && len(s.Lost) == 0 {
				t.Error("nothing is called lost")
			}
			fixture.SameFiles(t, p.FS, before)
		})
	}
}

// TestSalvageOfEveryFlip flips bytes of every file, one at a time, and takes pairs of places.
// A flip costs at most the record that it is in. VARVE_DAMAGE=all takes every byte.
func TestSalvageOfEveryFlip(t *testing.T) {
	x := fixture.New(t)
	step := 11
	if os.Getenv("VARVE_DAMAGE") != "" {
		step = 1
	}
	for _, name := range append([]string{x.Newest}, x.Sealed...) {
		for at := 0; at < len(x.FS.Bytes(name)); at += step {
			p := &fixture.Casualty{Store: x, TB: t, FS: x.FS.Clone()}
			p.Edit(name, fixture.FlipAt(at))
			s, got, err := fixture.Salvaged(t, p.FS)
			testkit.Must(t, err)
			if err := audit(x, s, got); err != nil {
				t.Fatalf("%s, flip at %d: %v; %+v", name, at, err, s)
			}
			if s.LostNumbers > 1 {
				t.Fatalf("%s, flip at %d: lost %+v", name, at, s.Lost)
			}
			p.Edit(x.Sealed[at%len(x.Sealed)], fixture.ZeroAt(at*7%4000, 300))
			p.Edit(x.Sealed[(at+1)%len(x.Sealed)], fixture.FlipAt(-at/9-1))
			if s, got, err = fixture.Salvaged(t, p.FS); err != nil {
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
	x := fixture.New(t)
	p := x.Injured(t, fixture.Harm{Do: func(p *fixture.Casualty) {
		p.FS.SetBytes(fixture.NinetyNine+".seg", p.FS.Bytes(p.Sealed[2]))
		p.Edit(p.Sealed[2], fixture.FlipAt(700))
		p.Edit(p.Sealed[2], fixture.FlipAt(1200))
		p.Edit(p.Sealed[2], fixture.FlipAt(2900))
		p.Edit(p.Sealed[2], fixture.FlipAt(3300))
		p.Edit(fixture.NinetyNine+".seg", fixture.ZeroAt(1500, 700))
	}})
	s, got, err := fixture.Salvaged(t, p.FS)
	testkit.Must(t, err)
	if err := audit(x, s, got); err != nil || s.LostNumbers > 0 || len(got) != len(x.Current()) {
		t.Errorf("%v; %+v", err, s)
	}
}

// TestSalvageOfCuts cuts every file short: what is beyond is lost, unless it was the newest
// log, which then looks as after a crash.
func TestSalvageOfCuts(t *testing.T) {
	x := fixture.New(t)
	for _, name := range append([]string{x.Newest}, x.Sealed...) {
		for at := 0; at < len(x.FS.Bytes(name)); at += 17 {
			p := &fixture.Casualty{Store: x, TB: t, FS: x.FS.Clone()}
			p.Edit(name, func(b []byte) []byte { return b[:at] })
			s, got, err := fixture.Salvaged(t, p.FS)
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
	x := fixture.New(t)
	for _, once := range []bool{true, false} {
		for n := int64(1); ; n++ {
			fsys := x.FS.Clone()
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
			s, got, err := fixture.Salvaged(t, fsys)
			testkit.Must(t, err)
			if !hit.Load() {
				break
			}
			if _, names := got[""]; names {
				t.Fatal("an object without a key")
			}
			for k, o := range got {
				if c := x.Model[o.Seq-1]; c.Key != k || !bytes.Equal(c.Value, o.Value) {
					t.Fatalf("read %d fails: %s: what was never put: %d", n, k, o.Seq)
				}
				if want, ok := x.Current()[k]; !o.MayBeStale && (!ok || want != string(o.Value)) {
					t.Fatalf("read %d fails: %s: number %d is called current; %+v", n, k, o.Seq, s)
				}
			}
			if len(got) < len(x.Current()) && len(s.Lost) == 0 {
				t.Fatalf("read %d fails: %d objects, and nothing is lost", n, len(got))
			}
		}
	}
}
