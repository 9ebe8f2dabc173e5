package segment

import (
	"reflect"
	"testing"
)

// TestAnObjectIsWhatARecordPuts: there and back, nothing is lost.
func TestAnObjectIsWhatARecordPuts(t *testing.T) {
	for _, o := range []Object{
		{Key: []byte("k"), Value: []byte("v")},
		{Key: []byte("k"), Value: []byte{}, Meta: []byte{0x80}, Content: Msgpack},
	} {
		r, err := o.Record()
		if err != nil {
			t.Fatal(err)
		}
		r.Seq, o.Seq = 7, 7
		if got := r.Object(); !reflect.DeepEqual(got, o) {
			t.Errorf("%+v became %+v", o, got)
		}
	}
	if _, err := (&Object{Content: 9}).Record(); err == nil {
		t.Error("an unknown kind of content makes a record")
	}
}

func TestBoundsOfARange(t *testing.T) {
	for _, c := range []struct {
		r      Range
		lo, hi string
	}{
		{Range{}, "", ""},
		{Range{From: []byte("a"), To: []byte("c")}, "a", "c"},
		{Range{Prefix: []byte("b")}, "b", "c"},
		{Range{Prefix: []byte("b"), From: []byte("a"), To: []byte("z")}, "b", "c"},
		{Range{Prefix: []byte("b"), From: []byte("bb"), To: []byte("bc")}, "bb", "bc"},
		{Range{Prefix: []byte("a\xff")}, "a\xff", "b"},
		{Range{Prefix: []byte("\xff\xff")}, "\xff\xff", ""},
	} {
		lo, hi := c.r.Bounds()
		if string(lo) != c.lo || string(hi) != c.hi || c.hi == "" && hi != nil {
			t.Errorf("%+v: %q, %q", c.r, lo, hi)
		}
	}
}
