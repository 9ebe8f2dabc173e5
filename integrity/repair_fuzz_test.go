package integrity_test

import (
	"encoding/binary"
	"maps"
	"runtime"
	"testing"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/vfs"
)

// storeNames are the names in a folder that is fuzzed as one string of bytes: for each
// file one byte that chooses among them, a length, and the content.
var storeNames = []string{
	"00000000000000000001.seg", "00000000000000000002.seg", "00000000000000000003.seg", "00000000000000000004.seg", ninetyNine + ".seg",
	"00000000000000000001.open", "00000000000000000002.open", "00000000000000000004.open", "00000000000000000005.open", ninetyNine + ".open",
	"00000000000000000002.tmp", "00000000000000000004.80.torn", "quarantine/00000000000000000002.seg.1", "note",
}

func packStore(fsys *crashfs.FS) (b []byte) {
	for i, name := range storeNames {
		if c := fsys.Bytes(name); c != nil {
			b = append(b, byte(i))
			b = binary.LittleEndian.AppendUint16(b, uint16(len(c)))
			b = append(b, c...)
		}
	}
	return b
}

func unpackStore(b []byte) *crashfs.FS {
	fsys := crashfs.New()
	for len(b) >= 3 {
		n := min(int(binary.LittleEndian.Uint16(b[1:])), len(b)-3)
		fsys.SetBytes(storeNames[int(b[0])%len(storeNames)], b[3:3+n])
		b = b[3+n:]
	}
	return fsys
}

// watched runs fn, which must end, and not allocate without measure for its input.
func watched(t *testing.T, input int, fn func()) {
	watch := time.AfterFunc(30*time.Second, func() { panic("hangs") })
	defer watch.Stop()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 128<<20+4000*uint64(input) {
		t.Errorf("%d bytes were allocated for %d bytes of files", n, input)
	}
}

func fuzzSeeds(f *testing.F) (x *fixture, list []*crashfs.FS) {
	x = newFixture(f)
	list = []*crashfs.FS{x.fs, x.early, x.killed, crashfs.New()}
	for _, in := range harms {
		list = append(list, x.injured(f, in).fs)
	}
	return x, list
}

// FuzzRepair repairs a folder of any bytes, by itself and with another such folder. It
// ends, deletes nothing and leaves the other as it is; what opened before opens, and
// alone it holds the same; and a second repair finds nothing more to heal.
func FuzzRepair(f *testing.F) {
	x, list := fuzzSeeds(f)
	for _, fsys := range list {
		f.Add(packStore(fsys), packStore(x.fs))
		f.Add(packStore(fsys), packStore(x.early))
	}
	f.Fuzz(func(t *testing.T, own, other []byte) {
		watched(t, len(own)+len(other), func() {
			copied := unpackStore(other)
			for _, from := range []integrity.Donor{nil, copyOfStore(copied)} {
				repairAnything(t, unpackStore(own), from)
			}
			sameFiles(t, copied, unpackStore(other))
		})
	})
}

func repairAnything(t *testing.T, fsys *crashfs.FS, from integrity.Donor) {
	before := fsys.Clone()
	was, wasErr := heldBy(before)
	o := integrity.RepairOptions{From: from}
	p, err := integrity.Repair(t.Context(), fsys, o)
	if err != nil {
		if p != nil {
			t.Errorf("a plan that cannot be carried out: %v; %+v", err, p.Steps)
		}
		sameFiles(t, fsys, before)
		return
	}
	keptAll(t, before, fsys)
	got, gotErr := heldBy(fsys)
	if wasErr == nil && gotErr != nil {
		t.Errorf("it had opened, and now: %v; %+v", gotErr, p.Steps)
	}
	if wasErr == nil && from == nil && !maps.Equal(was, got) {
		t.Errorf("it holds something else; %+v", p.Steps)
	}
	again, err := integrity.MakePlan(t.Context(), fsys, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range again.Steps {
		if s.Action != integrity.CutTail {
			t.Errorf("%+v were done; and then there is %+v", p.Steps, s)
		}
	}
}

// FuzzSalvage salvages a folder of any bytes. It ends, changes nothing, and what it
// lists lies in the files and is in order.
func FuzzSalvage(f *testing.F) {
	_, list := fuzzSeeds(f)
	for _, fsys := range list {
		f.Add(packStore(fsys))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		watched(t, len(b), func() {
			fsys := unpackStore(b)
			s, got, err := salvaged(t, fsys)
			if err != nil {
				if got == nil || len(got) > 0 {
					t.Error(err)
				}
				return
			}
			sameFiles(t, fsys, unpackStore(b))
			if int64(len(got)) != s.Objects || uint64(s.Objects) > s.Numbers {
				t.Errorf("%d objects, said to be %d of %d numbers", len(got), s.Objects, s.Numbers)
			}
			for _, l := range s.Lost {
				size := int64(len(fsys.Bytes(l.File)))
				if l.Offset < 0 || l.Bytes < 0 || l.Offset > size || l.Bytes > size-l.Offset || l.LastSeq != 0 && l.FirstSeq > l.LastSeq || l.Reason == "" {
					t.Errorf("%+v, of a file of %d bytes", l, size)
				}
			}
			if again, _, err := salvaged(t, vfs.FromFS(vfs.AsFS(fsys))); err != nil || again.Numbers != s.Numbers || len(again.Lost) != len(s.Lost) {
				t.Errorf("a second time: %v, %+v", err, again)
			}
		})
	})
}
