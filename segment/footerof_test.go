package segment

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// offsets is a source that notes where it was read.
type offsets struct {
	io.ReaderAt
	at []int64
}

func (o *offsets) ReadAt(b []byte, off int64) (int, error) {
	o.at = append(o.at, off)
	return o.ReaderAt.ReadAt(b, off)
}

// TestFooterWithoutHeader opens footers by the segment's name: they hand out the same
// entries as those that were opened by way of the header, and read a header only of an
// output, for the first entry that is asked for.
func TestFooterWithoutHeader(t *testing.T) {
	late := testSeal(t, layOut(&Header{Head: Head{Kind: Output, UUID: goldenUUID, Ref: Ref{5, 9}, FirstSeq: 3, Time: goldenTime}},
		Record{Kind: Put, Seq: 12, Key: []byte("apple"), Value: []byte("late")},
		Record{Kind: Put, Seq: 20, Key: []byte("pear"), Value: []byte("later")}))
	for name, b := range map[string][]byte{
		"log": goldenSmall(t), "blocks": goldenBlocks(t), "output": goldenOutput(t), "late output": late, "empty output": goldenEmpty(t),
	} {
		t.Run(name, func(t *testing.T) {
			want := testOpen(t, b)
			src := &offsets{ReaderAt: bytes.NewReader(b)}
			open := func() *Footer {
				f, err := FooterOf(want.r.Header.UUID, want.r.Header.Ref, src, int64(len(b)))
				if err != nil {
					t.Fatal(err)
				}
				return f
			}
			header := func() bool {
				for _, off := range src.at {
					if off == 0 {
						return true
					}
				}
				return false
			}
			f := open()
			if f.Kind() != want.r.Header.Kind || f.Summary != want.Summary || f.Blocks != want.Blocks {
				t.Errorf("%v %+v, want %v %+v", f.Kind(), f.Summary, want.r.Header.Kind, want.Summary)
			}
			for _, key := range []string{"\x00", "apples", "\xff\xff"} {
				if e, found, err := f.Lookup([]byte(key)); found || err != nil {
					t.Errorf("%q: %+v, %v", key, e, err)
				}
			}
			least, greatest := "", ""
			c, w := open().Cursor(), want.Cursor()
			if last, err := f.LastKey(); err != nil {
				t.Error(err)
			} else {
				greatest = string(last)
			}
			if header() {
				t.Errorf("the header is read for keys that are not there: %v", src.at)
			}
			for w.Next() {
				if !c.Next() || fmt.Sprint(c.Entry) != fmt.Sprint(w.Entry) {
					t.Fatalf("entry %+v, want %+v: %v", c.Entry, w.Entry, c.Err())
				}
				if least == "" {
					least = string(w.Entry.Key)
				}
				e, found, err := open().Lookup(w.Entry.Key)
				o, _, _ := want.Lookup(w.Entry.Key)
				if !found || err != nil || fmt.Sprint(e) != fmt.Sprint(o) {
					t.Fatalf("lookup %+v, want %+v: %v", e, o, err)
				}
			}
			if c.Next() || c.Err() != nil {
				t.Error("more entries", c.Err())
			}
			if string(f.FirstKey()) != least || greatest != string(w.Entry.Key) {
				t.Errorf("keys from %q to %q, want %q to %q", f.FirstKey(), greatest, least, w.Entry.Key)
			}
			if p, err := f.ChecksumSeed(); err != nil || p != want.r.seed {
				t.Errorf("place %v, %v, want %v", p, err, want.r.seed)
			}
			if header() != (want.r.Header.Kind == Output) {
				t.Errorf("reads at %v", src.at)
			}
			other := want.r.Header.Ref
			other.ID++
			if f, err := FooterOf(want.r.Header.UUID, other, src, int64(len(b))); err == nil {
				t.Errorf("another segment's footer passes: %+v", f.Summary)
			}
		})
	}
}
