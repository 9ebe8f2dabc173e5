package store

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
)

// A folder is fuzzed as one string of bytes: for each file, one byte that
// chooses among the names below, a length, and the content.
var fuzzNames = []string{
	"00000000000000000001.seg", "00000000000000000002.seg", "00000000000000000003.seg", "00000000000000000004.seg",
	"00000000000000000001.open", "00000000000000000002.open", "00000000000000000003.open", "00000000000000000004.open",
	"00000000000000000005.open", "00000000000000000005.tmp", "00000000000000000003.180.torn", "LOCK", "note",
}

func pack(fsys *crashfs.FS) (b []byte) {
	for i, name := range fuzzNames {
		if c := fsys.Bytes(name); c != nil {
			b = append(b, byte(i))
			b = binary.LittleEndian.AppendUint16(b, uint16(len(c)))
			b = append(b, c...)
		}
	}
	return b
}

func unpack(b []byte) *crashfs.FS {
	fsys := crashfs.New()
	for len(b) >= 3 {
		n := min(int(binary.LittleEndian.Uint16(b[1:])), len(b)-3)
		fsys.SetBytes(fuzzNames[int(b[0])%len(fuzzNames)], b[3:3+n])
		b = b[3+n:]
	}
	return fsys
}

// fuzzStores are the real stores that fuzzing begins with: closed, killed,
// recovered, unsealed, empty.
func fuzzStores(t testing.TB) (list []*crashfs.FS) {
	run := func(n int, o Options, end func(fsys *crashfs.FS, db *DB) *crashfs.FS) {
		fsys := crashfs.New()
		db := mustOpen(t, fsys, o)
		for i := range n {
			var b Batch
			b.Put(fmt.Appendf(nil, "k%d", i%9), fmt.Appendf(nil, "%0*d", i*53%700, i))
			b.Delete(fmt.Appendf(nil, "k%d", i%7))
			if err := db.Apply(&b); err != nil {
				t.Fatal(err)
			}
		}
		list = append(list, end(fsys, db))
	}
	shut := func(fsys *crashfs.FS, db *DB) *crashfs.FS { mustClose(t, db); return fsys }
	kill := func(fsys *crashfs.FS, db *DB) *crashfs.FS {
		fsys = fsys.Crash(1, crashfs.Kind{Data: crashfs.DataAll, Names: crashfs.NamesAll})
		db.Close()
		return fsys
	}
	for _, n := range []int{0, 3, 20, 40} {
		run(n, small, shut)
		run(n, small, kill)
	}
	again := list[len(list)-1].Clone()
	list = append(list, shut(again, mustOpen(t, again, small)))
	return list
}

// FuzzOpen opens a folder of any bytes. It ends, takes no more memory than
// the files could fill, and whatever opens can be read, by a reader and by the
// writer alike, goes on, and opens again.
func FuzzOpen(f *testing.F) {
	for _, fsys := range fuzzStores(f) {
		f.Add(pack(fsys))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		watch := time.AfterFunc(20*time.Second, func() { panic("hangs") })
		defer watch.Stop()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		synctest.Test(t, func(t *testing.T) { openAnything(t, unpack(b)) })
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20+200*uint64(len(b)) {
			t.Errorf("%d bytes were allocated for %d bytes of files", n, len(b))
		}
	})
}

// openAnything opens what may be a store.
func openAnything(t *testing.T, fsys *crashfs.FS) {
	opt := resolve(t, small)
	var seen contents
	r, readErr := openReader(fsys, opt)
	if readErr == nil {
		var bad map[string]bool
		var err error
		if seen, bad, err = survivors(r); err != nil {
			t.Error(err)
		}
		if len(bad) > 0 {
			seen = nil
		}
		mustClose(t, r)
	}
	before := files(fsys)
	db, err := openFS(fsys, opt)
	if err != nil {
		if err := unchanged(fsys, before); err != nil {
			t.Errorf("an open that failed %v", err)
		}
		return
	}
	got, bad, err := survivors(db)
	if err != nil {
		t.Error(err)
	}
	if seen != nil {
		if err := diff(seen, got); err != nil {
			t.Errorf("a reader showed something else: %v", err)
		}
	}
	mustPut(t, db, proof, proof)
	err = db.Close()
	db, openErr := openFS(fsys, opt)
	if openErr != nil {
		t.Fatalf("closed (%v), and then: %v", err, openErr)
	}
	defer db.Close()
	more, badToo, err := survivors(db)
	if err != nil {
		t.Error(err)
	}
	delete(more, proof)
	if err := diff(got, more); err != nil || len(bad) != len(badToo) {
		t.Errorf("opened again: %v; %d unreadable objects, then %d", err, len(bad), len(badToo))
	}
}
