package check_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"testing/fstest"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/check"
	"github.com/varve-db/varve/integrity/internal/fixture"
	"github.com/varve-db/varve/store"
)

// A folder is fuzzed as one string of bytes: for each file, one byte that
// chooses among the names below, a length, and the content.
var fuzzNames = []string{
	"00000000000000000001.seg", "00000000000000000002.seg", "00000000000000000003.seg", "00000000000000000001.open",
	"00000000000000000002.open", "00000000000000000003.open", "00000000000000000004.open", "00000000000000000005.tmp",
	"00000000000000000003.180.torn", "scrub.json", "quarantine", "LOCK", "note",
}

func pack(m fstest.MapFS) (b []byte) {
	for i, name := range fuzzNames {
		if f := m[name]; f != nil {
			b = append(b, byte(i))
			b = binary.LittleEndian.AppendUint16(b, uint16(len(f.Data)))
			b = append(b, f.Data...)
		}
	}
	return b
}

func unpack(b []byte) fstest.MapFS {
	m := fstest.MapFS{}
	for len(b) >= 3 {
		n := min(int(binary.LittleEndian.Uint16(b[1:])), len(b)-3)
		m[fuzzNames[int(b[0])%len(fuzzNames)]] = &fstest.MapFile{Data: b[3 : 3+n], Mode: 0o400}
		b = b[3+n:]
	}
	return m
}

// FuzzCheck checks folders of any bytes. It ends, takes no more memory than the
// files could fill, and what has no finding opens, as a store that is full checked.
func FuzzCheck(f *testing.F) {
	for _, n := range []int{0, 3, 20} {
		dir := filepath.Join(f.TempDir(), fmt.Sprint(n))
		db := fixture.FillStore(f, dir, n)
		f.Add(pack(mapped(f, dir)), uint8(3), false)
		if err := db.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(pack(mapped(f, dir)), uint8(3), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, level uint8, live bool) {
		watch := time.AfterFunc(20*time.Second, func() { panic("hangs") })
		defer watch.Stop()
		m := unpack(b)
		o := check.Options{Level: integrity.Level(level % 4), Writer: func() (bool, error) { return live, nil }}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := check.Run(t.Context(), m, o)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 128<<20+2000*uint64(len(b)) {
			t.Errorf("%d bytes were allocated for %d bytes of files", n, len(b))
		}
		if err != nil {
			if !errors.Is(err, integrity.ErrNotStore) {
				t.Error(err)
			}
			return
		}
		for _, x := range r.Findings {
			if x.Kind == "" || x.Reason == "" || x.Next == "" || x.LastSeq < x.FirstSeq {
				t.Errorf("%+v", x)
			}
		}
		if len(r.Findings) > 0 || live {
			return
		}
		s, err := store.OpenReadOnlyFS(m, &store.Options{Integrity: o.Level})
		if err != nil {
			t.Fatalf("no finding, and it does not open: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
