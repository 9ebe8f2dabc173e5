package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
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

// spoil changes a byte of the value of some objects, wherever in the files it is.
func spoil(t *testing.T, dir string, bad map[string]bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	spoilt := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		for key := range bad {
			if at := bytes.Index(b, []byte("value of "+key)); at >= 0 {
				if _, err := f.WriteAt([]byte{'!'}, int64(at)); err != nil {
					t.Fatal(err)
				}
				spoilt++
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if spoilt != len(bad) {
		t.Fatalf("spoilt %d of %d", spoilt, len(bad))
	}
}

// TestALongScanNamesWhatIsDamaged has damage in windows of the helper's and in
// those of the scan itself. Seed 7.
func TestALongScanNamesWhatIsDamaged(t *testing.T) {
	defer goleak.VerifyNone(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	const n = 20011
	db := scanned(t, n)
	defer db.Close()
	if _, err := db.Seal(); err != nil {
		t.Fatal(err)
	}
	rng, bad := rand.New(rand.NewPCG(7, 1)), map[string]bool{}
	for range 100 {
		bad[fmt.Sprintf("%08d", rng.IntN(n))] = true
	}
	spoil(t, filepath.Dir(db.Stats().Segments[0].File), bad)
	for _, reverse := range []bool{false, true} {
		i, met := 0, 0
		for o, err := range db.Scan(Range{Reverse: reverse}) {
			j := i
			if reverse {
				j = n - 1 - i
			}
			i++
			want := fmt.Sprintf("%08d", j)
			c, corrupt := errors.AsType[*CorruptError](err)
			switch {
			case string(o.Key) != want:
				t.Fatalf("object %d, reverse %v: key %q", i, reverse, o.Key)
			case !bad[want] && (err != nil || string(o.Value) != "value of "+want):
				t.Fatalf("%s: %q %v", want, o.Value, err)
			case bad[want] && (!corrupt || o.Value != nil || len(c.Keys) != 1 || string(c.Keys[0]) != want):
				t.Fatalf("%s is damaged: %q %v", want, o.Value, err)
			case corrupt:
				met++
			}
		}
		if i != n || met != len(bad) {
			t.Fatalf("reverse %v: %d objects of %d, %d damaged of %d", reverse, i, n, met, len(bad))
		}
	}
}

// TestALongScanOfObjectsOfAllSizes mixes objects that fill a window by themselves with
// small ones, with one core and with two. Seed 8.
func TestALongScanOfObjectsOfAllSizes(t *testing.T) {
	defer goleak.VerifyNone(t)
	db, err := Open(t.TempDir(), &Options{Durability: SyncEvery(1e10)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rng := rand.New(rand.NewPCG(8, 1))
	sizes := map[string]int{}
	for i := range 12000 {
		key := fmt.Sprintf("%016x", rng.Uint64())
		size := rng.IntN(100)
		if i%400 == 0 {
			size = windowBytes/2 + rng.IntN(windowBytes)
		}
		if err := db.Put([]byte(key), bytes.Repeat([]byte(key[:1]), size)); err != nil {
			t.Fatal(err)
		}
		sizes[key] = size
	}
	for _, cores := range []int{1, 2} {
		func() {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
			n, last := 0, ""
			for o, err := range db.Scan(Range{}) {
				if err != nil || string(o.Key) <= last || len(o.Value) != sizes[string(o.Key)] || bytes.Count(o.Value, o.Key[:1]) != len(o.Value) {
					t.Fatalf("%d cores: %q after %q, %d bytes, want %d: %v", cores, o.Key, last, len(o.Value), sizes[string(o.Key)], err)
				}
				last = string(o.Key)
				n++
			}
			if n != len(sizes) {
				t.Errorf("%d cores: %d objects, want %d", cores, n, len(sizes))
			}
		}()
	}
}
