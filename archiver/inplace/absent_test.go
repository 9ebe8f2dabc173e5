package inplace_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/inplace"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// TestAbsentKeyAsksLittle asks for keys that an archive lacks and counts requests: one a
// segment to learn the bounds of its keys, one more for a block where they leave the key
// possible, and then none.
func TestAbsentKeyAsksLittle(t *testing.T) {
	v, dir := archivetest.NewVault(), filepath.Join(t.TempDir(), "store")
	db, err := store.Open(dir, &store.Options{SegmentSize: 1 << 18, Durability: store.SyncEvery(1e9)})
	testkit.Must(t, err)
	const n, stride = 60000, 7919 // each segment has keys from all over
	for i := range n {
		testkit.Must(t, db.Put(fmt.Appendf(nil, "key/%06d", 2*(i*stride%n)), []byte("value")))
	}
	uuid := db.OpenReport().UUID
	_, err = db.Seal()
	testkit.Must(t, err)
	testkit.Must(t, db.Close())
	v.Ship(t, dir)
	a := v.Archive(t)
	plan := archivetest.PlanOf(t, a, uuid, history.Point{})
	segs := len(plan.Segments)
	if segs < 6 {
		t.Fatalf("%d segments", segs)
	}
	for _, cache := range []int64{0, 1} {
		var r *inplace.Reader
		ask := func(what string, most int, fn func() error) {
			t.Helper()
			v.Reset()
			if err := fn(); err != nil {
				t.Errorf("cache %d: %s: %v", cache, what, err)
			}
			t.Logf("cache %d: %s: %d requests of %d segments", cache, what, v.Requests, segs)
			if v.Requests > most {
				t.Errorf("cache %d: %s: %d requests of %d segments, want at most %d", cache, what, v.Requests, segs, most)
			}
		}
		lacks := func(key string) func() error {
			return func() error {
				if _, err := r.Get([]byte(key)); !errors.Is(err, segment.ErrNotFound) {
					return fmt.Errorf("%v, want not found", err)
				}
				return nil
			}
		}
		none := func(prefix string) func() error {
			return func() error {
				for rec, err := range r.Scan(segment.Range{Prefix: []byte(prefix)}) {
					return fmt.Errorf("%q, %v", rec.Key, err)
				}
				return nil
			}
		}
		fresh := func() { r = inplace.NewReader(t.Context(), a, plan, &inplace.Options{CacheBytes: cache}) }
		for _, key := range []string{"a", "z"} {
			fresh()
			ask("the first key is out of bounds", segs, lacks(key))
			ask("another out of bounds", 0, lacks(key+"again"))
			ask("out of bounds at the other side", 0, lacks(map[string]string{"a": "z", "z": "a"}[key]))
			ask("a range out of bounds", 0, none(key))
		}
		fresh()
		ask("a first range out of bounds", segs, none("zz"))
		if cache == 0 {
			ask("a key inside the bounds", segs, lacks("key/060001"))
			ask("another inside the bounds", segs, lacks("key/030001"))
			ask("it again", 0, lacks("key/030001"))
		}
		fresh()
		ask("the first key is inside the bounds", 2*segs+segs*int(cache), lacks("key/060001"))
	}
	r := inplace.NewReader(t.Context(), a, plan, nil)
	for _, i := range []int{0, 2, 59998, 2*n - 2, 2 * (stride * 5 % n)} {
		if rec, err := r.Get(fmt.Appendf(nil, "key/%06d", i)); err != nil || string(rec.Value) != "value" {
			t.Errorf("key %d: %v", i, err)
		}
	}
}

// TestAbsentKeyOfAnOutput: what compaction made, whose header is needed to read entries, is
// asked once for an absent key, too; and keys that are there and keys that were deleted get the
// right answer.
func TestAbsentKeyOfAnOutput(t *testing.T) {
	f := archivetest.NewForger(t)
	var puts, items []string
	const n = 3000
	for i := range n {
		puts = append(puts, fmt.Sprintf("a long key of an object that was compacted/%06d=%d", 2*i, i))
		items = append(items, fmt.Sprintf("%s@%d", puts[i], f.Seq+uint64(i)))
	}
	f.Log(1, nil, puts...)
	f.Output(3, items...)
	f.Log(2, []segment.ID{1}, "edit 1>3", "b=1")
	f.Log(4, []segment.ID{2, 3}, "-a long key of an object that was compacted/000004", "c=1")
	a := f.V.Archive(t)
	plan := archivetest.PlanOf(t, a, f.UUID, history.Point{})
	name := archivetest.ObjectOf(f.UUID, f.Ref(3))
	key := func(i int) []byte { return fmt.Appendf(nil, "a long key of an object that was compacted/%06d", i) }
	for _, c := range []struct {
		key   []byte
		value string // "": not found
		most  int    // requests of the output
	}{
		{[]byte("a"), "", 1}, {[]byte("z"), "", 1}, {key(1), "", 2}, {key(2*n - 3), "", 1}, {key(4), "", 3},
		{key(0), "0", 4}, {key(2*n - 2), fmt.Sprint(n - 1), 4},
	} {
		f.V.Reset()
		r := inplace.NewReader(t.Context(), a, plan, nil)
		rec, err := r.Get(c.key)
		if c.value == "" && !errors.Is(err, segment.ErrNotFound) || c.value != "" && (err != nil || string(rec.Value) != c.value) {
			t.Errorf("%s: %v", c.key, err)
		}
		if got := f.V.Opened[name]; got > c.most {
			t.Errorf("%s: %d requests of the output, want at most %d", c.key, got, c.most)
		}
		again := f.V.Requests
		if _, err := r.Get(c.key); f.V.Requests != again || (err == nil) != (c.value != "") {
			t.Errorf("%s: %d requests for the second time: %v", c.key, f.V.Requests-again, err)
		}
	}
	count := 0
	for rec, err := range inplace.NewReader(t.Context(), a, plan, nil).Scan(segment.Range{}) {
		testkit.Must(t, err)
		if string(rec.Key) == string(key(4)) {
			t.Error("what was deleted is there")
		}
		count++
	}
	if count != n+1 {
		t.Errorf("%d objects, want %d", count, n+1)
	}
}
