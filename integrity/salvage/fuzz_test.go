package salvage_test

import (
	"testing"

	"github.com/varve-db/varve/integrity/internal/fixture"
	"github.com/varve-db/varve/internal/vfs"
)

// FuzzSalvage salvages a folder of any bytes. It ends, changes nothing, and what it
// lists lies in the files and is in order.
func FuzzSalvage(f *testing.F) {
	_, list := fixture.FuzzSeeds(f)
	for _, fsys := range list {
		f.Add(fixture.PackStore(fsys))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fixture.Watched(t, len(b), func() {
			fsys := fixture.UnpackStore(b)
			s, got, err := fixture.Salvaged(t, fsys)
			if err != nil {
				if got == nil || len(got) > 0 {
					t.Error(err)
				}
				return
			}
			fixture.SameFiles(t, fsys, fixture.UnpackStore(b))
			if int64(len(got)) != s.Objects || uint64(s.Objects) > s.Numbers {
				t.Errorf("%d objects, said to be %d of %d numbers", len(got), s.Objects, s.Numbers)
			}
			for _, l := range s.Lost {
				size := int64(len(fsys.Bytes(l.File)))
				if l.Offset < 0 || l.Bytes < 0 || l.Offset > size || l.Bytes > size-l.Offset || l.LastSeq != 0 && l.FirstSeq > l.LastSeq || l.Reason == "" {
					t.Errorf("%+v, of a file of %d bytes", l, size)
				}
			}
			if again, _, err := fixture.Salvaged(t, vfs.FromFS(vfs.AsFS(fsys))); err != nil || again.Numbers != s.Numbers || len(again.Lost) != len(s.Lost) {
				t.Errorf("a second time: %v, %+v", err, again)
			}
		})
	})
}
