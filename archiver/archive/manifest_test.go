package archive

import (
	"bytes"
	"testing"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

func TestAManifestOfManySegmentsIsSmall(t *testing.T) {
	var refs []segment.Ref
	for id := range segment.ID(100000) {
		refs = append(refs, segment.Ref{Timeline: 1, ID: id + 1})
	}
	b := &Backup{ID: 1, Store: segment.UUID{0xab, 15: 1}, Tip: refs[len(refs)-1], Segments: segment.SetOf(refs...).Runs()}
	data, err := encode(b)
	testkit.Must(t, err)
	if len(data) > 2000 {
		t.Errorf("a manifest of 100,000 segments has %d bytes", len(data))
	}
	var c Backup
	testkit.Must(t, decode(data, &c))
	if c.Count() != 100000 {
		t.Errorf("%d segments", c.Count())
	}
	// Whatever byte is changed, it is noticed.
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		if err := decode(bad, &Backup{}); err == nil {
			t.Errorf("byte %d changed: %q is taken", i, bad)
		}
	}
}

// untouched is a target of which only the URL is asked: any other call panics.
type untouched struct {
	target.Target // nil
}

func (untouched) URL() string { return "mem://untouched" }

// TestAManifestThatCannotBeReadIsNotWritten: JSON cannot hold such words as they are.
func TestAManifestThatCannotBeReadIsNotWritten(t *testing.T) {
	a := &Archive{target: untouched{}}
	p := &Pin{What: "caf\xe9", Segments: []segment.Run{{Timeline: 1, First: 1, Count: 1}}}
	if err := a.putManifest(t.Context(), "x", p); err == nil {
		t.Error("a manifest that cannot be read was written")
	}
}
