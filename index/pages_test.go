package index

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

func TestPageFillsItsSizeClass(t *testing.T) {
	// What holds pointers has eight bytes of the allocator in front. With pointers of four bytes
	// a page is smaller than its class; Memory then says a little too much.
	n := unsafe.Sizeof(page{}) + 8
	if n > pageBytes || unsafe.Sizeof(uintptr(0)) == 8 && n+unsafe.Sizeof(top{}) <= pageBytes {
		t.Errorf("a page has %d bytes in a size class of %d", n, pageBytes)
	}
}

// freeze returns what the pages that a directory leads to hold.
func freeze(d *directory) map[*page]page {
	m := map[*page]page{}
	d.tree.Ascend(func(t top) bool {
		m[t.page] = *t.page
		return true
	})
	return m
}

// TestPagesThatASnapshotSeesAreNeverWritten puts and deletes enough to split,
// merge, replace and empty pages beside a snapshot.
func TestPagesThatASnapshotSeesAreNeverWritten(t *testing.T) {
	const n = 60_000
	change := map[string]func(x *Index, i int, key []byte){
		"replaced": func(x *Index, _ int, key []byte) { x.Put(key, Loc{Slot: 1}) },
		"split":    func(x *Index, _ int, key []byte) { x.Put(append(key, '+'), Loc{}) },
		"deleted":  func(x *Index, _ int, key []byte) { x.Delete(key) },
		"thinned": func(x *Index, i int, key []byte) {
			if i%8 != 0 {
				x.Delete(key)
			}
		},
	}
	for _, name := range slices.Sorted(maps.Keys(change)) {
		t.Run(name, func(t *testing.T) {
			x := New()
			for i := range n {
				x.Put(fmt.Appendf(nil, "user:%d", i*7919%n), Loc{})
			}
			s := x.Snapshot()
			defer s.Close()
			frozen := freeze(&s.dir)
			if len(frozen) < 3 {
				t.Fatalf("%d pages are too few", len(frozen))
			}
			for i := range n {
				change[name](x, i, fmt.Appendf(nil, "user:%d", i*6007%n))
			}
			mustHold(t, x)
			if !maps.Equal(freeze(&s.dir), frozen) {
				t.Error("the directory of the snapshot changed")
			}
			for p, was := range frozen {
				if *p != was {
					t.Fatalf("the page at %q changed", was.sep[0])
				}
			}
			if err := readAll(s, false); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDirectoryCopiesPages changes a directory as an index would not: entries
// come and go although no leaf beside them was written.
func TestDirectoryCopiesPages(t *testing.T) {
	const n = 20 * pageCap
	at := func(i int) string { return fmt.Sprintf("k%07d", i+1) }
	for name, change := range map[string]func(x *Index, i int, f *leaf){
		"added":            func(x *Index, i int, f *leaf) { x.dir.add(at(i*7919%n)+"+", f) },
		"replaced":         func(x *Index, i int, f *leaf) { x.dir.replace(x.dir.find([]byte(at(i))), f) },
		"removed upwards":  func(x *Index, i int, _ *leaf) { x.dir.remove(at(i)) },
		"removed from top": func(x *Index, i int, _ *leaf) { x.dir.remove(at(n - 1 - i)) },
	} {
		x := New()
		f := x.newLeaf()
		for i := range n {
			x.dir.add(at(i*7919%n), f)
		}
		s := x.Snapshot()
		frozen := freeze(&s.dir)
		f = x.newLeaf()
		for i := range n {
			change(x, i, f)
			if i%500 == 0 {
				if err := x.dir.check(); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
		for p, was := range frozen {
			if *p != was {
				t.Fatalf("%s: the page at %q changed", name, was.sep[0])
			}
		}
		s.Close()
	}
}

func TestPagesAreWellFilled(t *testing.T) {
	const n = 400 * pageCap
	at := func(i int) string { return fmt.Sprintf("k%07d", i+1) }
	for name, c := range map[string]struct {
		min   float64
		order func(i int) int
	}{
		"ascending":  {0.97, func(i int) int { return i }},
		"descending": {0.97, func(i int) int { return n - 1 - i }},
		"scattered":  {0.55, func(i int) int { return i * 7919 % n }},
	} {
		x := New()
		f := x.newLeaf()
		for i := range n {
			x.dir.add(at(c.order(i)), f)
		}
		if err := x.dir.check(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := float64(n) / float64(x.dir.pages*pageCap); got < c.min {
			t.Errorf("%s: pages %.2f full, want %.2f", name, got, c.min)
		}
		for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(n) {
			x.dir.remove(at(i))
			if i%1000 == 0 {
				if err := x.dir.check(); err != nil {
					t.Fatalf("%s, while entries are removed: %v", name, err)
				}
			}
		}
		if x.dir.pages != 1 || x.dir.seps != 0 {
			t.Errorf("%s: %d pages, %d bytes in separators are left", name, x.dir.pages, x.dir.seps)
		}
	}
}

func TestFindAgreesWithAScan(t *testing.T) {
	for name, key := range keyKinds {
		x := New()
		f := x.newLeaf()
		var seps []string
		for i := range 2000 {
			if sep := string(key(i)); sep != "" && !slices.Contains(seps, sep) {
				x.dir.add(sep, f)
				seps = append(seps, sep)
			}
		}
		slices.Sort(seps)
		for i := range 4000 {
			k := key(i)
			if i%3 == 0 {
				k = k[:len(k)/2]
			}
			want := ""
			if j, ok := slices.BinarySearch(seps, string(k)); ok {
				want = seps[j]
			} else if j > 0 {
				want = seps[j-1]
			}
			if got := x.dir.find(k).sep(); got != want {
				t.Fatalf("%s: %.40q is found at %.40q, want %.40q", name, k, got, want)
			}
		}
	}
}

// TestADirectoryIsFlatWhileItHasFewPages lets a directory grow beyond maxFlat and
// shrink again, in an order that is the same in every run.
func TestADirectoryIsFlatWhileItHasFewPages(t *testing.T) {
	const n = (maxFlat + 1) * pageCap
	f := new(leaf)
	d := newDirectory(&snapshots{epoch: 1}, f)
	sep := func(i int) string { return fmt.Sprintf("user:%08d", i+1) }
	find := func(step int) {
		t.Helper()
		if err := d.check(); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < n; i += step {
			if got := d.find([]byte(sep(i) + "+")).sep(); got != sep(i) {
				t.Fatalf("%q is found at %q", sep(i)+"+", got)
			}
		}
	}
	for i := range n {
		d.add(sep(i*7919%n), f)
	}
	if d.pages <= maxFlat || len(d.flat.page) != 0 {
		t.Errorf("%d pages, %d of them flat", d.pages, len(d.flat.page))
	}
	find(1)
	for i := range n {
		if i%4 != 0 {
			d.remove(sep(i))
		}
	}
	if d.pages > maxFlat || len(d.flat.page) != d.pages {
		t.Errorf("%d pages, %d of them flat", d.pages, len(d.flat.page))
	}
	find(4)
}
