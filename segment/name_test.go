package segment

import (
	"io/fs"
	"testing"
	"testing/fstest"
)

// TestSegmentFileTakesTheNamesOfSegmentsAlone: 20 digits, one of two extensions, a regular file.
func TestSegmentFileTakesTheNamesOfSegmentsAlone(t *testing.T) {
	const id = "00000000000000000042"
	files := fstest.MapFS{
		id + ".seg": {}, id + ".open": {}, id + ".tmp": {}, id + ".3.torn": {}, id + ".seg.json": {}, id: {}, id[1:] + ".seg": {},
		"0" + id + ".seg": {}, "99999999999999999999.seg": {}, "+" + id[1:] + ".seg": {}, "scrub.json": {}, "LOCK": {},
		"00000000000000000043.seg": {Mode: fs.ModeDir}, "00000000000000000044.open": {Mode: fs.ModeSymlink},
	}
	list, err := files.ReadDir(".")
	if err != nil || len(list) != len(files) {
		t.Fatalf("%v, %d files", err, len(list))
	}
	for _, d := range list {
		want := d.Name() == id+SealedExt || d.Name() == id+OpenExt
		got, sealed, ok := SegmentFile(d)
		if ok != want || ok && (got != 42 || sealed != (d.Name() == id+SealedExt) || FileName(got, d.Name()[len(id):]) != d.Name()) {
			t.Errorf("%s: %v, sealed %v, %v", d.Name(), got, sealed, ok)
		}
	}
}
