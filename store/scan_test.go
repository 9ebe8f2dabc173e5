package store

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"
)

// scanned opens a store of n objects with values that follow from their keys.
func scanned(t *testing.T, n int) *DB {
	t.Helper()
	db, err := Open(t.TempDir(), &Options{SegmentSize: 1 << 18, Durability: SyncEvery(1e10)})
	if err != nil {
		t.Fatal(err)
	}
	var b Batch
	for i := range n {
		j := i * 7919 % n
		if err := b.Put(fmt.Appendf(nil, "%08d", j), fmt.Appendf(nil, "value of %08d", j)); err != nil {
			t.Fatal(err)
		}
		if b.Len() == 1000 || i == n-1 {
			if err := db.Apply(&b); err != nil {
				t.Fatal(err)
			}
			b.Reset()
		}
	}
	return db
}

func TestALongScanIsInOrder(t *testing.T) {
	defer goleak.VerifyNone(t)
	const n = 30011
	db := scanned(t, n)
	defer db.Close()
	for _, reverse := range []bool{false, true} {
		i := 0
		for o, err := range db.Scan(Range{Reverse: reverse}) {
			j := i
			if reverse {
				j = n - 1 - i
			}
			if want := fmt.Sprintf("%08d", j); err != nil || string(o.Key) != want || string(o.Value) != "value of "+want {
				t.Fatalf("object %d, reverse %v: %q %q %v", i, reverse, o.Key, o.Value, err)
			}
			i++
		}
		if i != n {
			t.Fatalf("%d objects, want %d", i, n)
		}
	}
}

func TestAScanCanBeLeftAnywhere(t *testing.T) {
	defer goleak.VerifyNone(t)
	db := scanned(t, 20011)
	defer db.Close()
	for _, stop := range []int{1, 15, 16, 17, 100, 5000, 12345, 20010} {
		n := 0
		for _, err := range db.Scan(Range{}) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == stop {
				break
			}
		}
		for range db.Scan(Range{Limit: stop}) {
			n--
		}
		if n != 0 {
			t.Errorf("left after %d objects, a limit of as many gave %d", stop, stop-n)
		}
	}
	func() {
		defer func() { recover() }()
		n := 0
		for range db.Scan(Range{}) {
			if n++; n == 10000 {
				panic("the loop's own")
			}
		}
	}()
}
