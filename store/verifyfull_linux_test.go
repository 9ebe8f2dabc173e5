package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/varve-db/varve/integrity"
	"golang.org/x/sys/unix"
)

// TestOpenAtFullReadsPastThePageCache: a sealed segment that is not in the page cache is not
// there after an open at level full either, but for what the system reads ahead with its
// header and its table.
func TestOpenAtFullReadsPastThePageCache(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := make([]byte, 256<<10)
	rng := rand.NewChaCha8([32]byte{})
	for i := range 48 {
		rng.Read(v)
		if err := db.Put(fmt.Appendf(nil, "key %d", i), v); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Seal(); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	f, err := os.Open(filepath.Join(dir, "00000000000000000001.seg"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cached := func() uint64 {
		var st unix.Cachestat_t
		if err := unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{}, &st, 0); err != nil {
			t.Skip("the system does not tell what is in the page cache")
		}
		return st.Cache * uint64(os.Getpagesize())
	}
	const little = 1 << 20
	unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	if n := cached(); n > little {
		t.Skipf("%d bytes stay in the page cache", n)
	}
	past, err := os.OpenFile(f.Name(), os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		t.Skip("the file system has no direct reads")
	}
	past.Close()
	for name, open := range map[string]func() (interface{ Close() error }, error){
		"writer": func() (interface{ Close() error }, error) { return Open(dir, &Options{Integrity: integrity.Full}) },
		"reader": func() (interface{ Close() error }, error) {
			return OpenReadOnly(dir, &Options{Integrity: integrity.Full})
		},
	} {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if n := cached(); n > 8<<20 {
			t.Errorf("%s: %d bytes of the segment, of 12 MiB, are in the page cache", name, n)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
