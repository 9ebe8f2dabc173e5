package salvage

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/varve-db/varve/integrity/internal/injured"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// TestEveryInjuryIsSalvaged salvages the store after each injury: every key's newest
// version is saved as it was, or is named among the losses, or its sequence number is;
// or it may be in a segment that is lost as a whole, of which the numbers are not known.
// What is saved and is not the newest is marked.
func TestEveryInjuryIsSalvaged(t *testing.T) {
	for _, x := range injured.Injuries() {
		if x.Undecidable { // nothing tells that there was more
			continue
		}
		t.Run(x.Name, func(t *testing.T) {
			p := injured.New(t, x.Crashed)
			x.Hurt(p)
			saved := map[string]Object{}
			out, err := Run(t.Context(), vfs.AsFS(p.FS), Options{Object: func(o Object) error {
				o.Value, o.Meta, o.Slots = bytes.Clone(o.Value), bytes.Clone(o.Meta), bytes.Clone(o.Slots)
				saved[string(o.Key)] = o
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			lost := func(r *segment.Record) bool {
				return slices.ContainsFunc(out.Lost, func(l Loss) bool {
					open := l.LastSeq == 0 && l.Kind == LostSegment // nobody knows where it ends
					return l.FirstSeq <= r.Seq && (r.Seq <= l.LastSeq || open) || l.Newest && bytes.Equal(l.KeyBytes, r.Key)
				})
			}
			newest := map[string]*segment.Record{}
			for i := range p.Objects {
				newest[string(p.Objects[i].Key)] = &p.Objects[i]
			}
			unacknowledged := func(r *segment.Record) bool { return x.Crashed && r.Seq >= p.Tail }
			for key, r := range newest {
				o, there := saved[key]
				switch {
				case there && o.Seq == r.Seq:
					if r.Kind != segment.Put || !bytes.Equal(o.Value, r.Value) && !strings.HasPrefix(x.Name, "forged record") || !bytes.Equal(o.Meta, r.Meta) {
						t.Errorf("%q is saved as %q, and was %v %q", key, o.Value, r.Kind, r.Value)
					}
				case unacknowledged(r): // it was never there for certain
				case there && !o.MayBeStale:
					t.Errorf("%q is saved in an old version, %d instead of %d, and not marked", key, o.Seq, r.Seq)
				case there && !lost(r):
					t.Errorf("%q is saved in an old version, and nothing is said to be lost", key)
				case !there && r.Kind == segment.Put && !lost(r):
					t.Errorf("%q is neither saved nor lost", key)
				}
			}
			for key := range saved {
				if newest[key] == nil && key != "stranger" {
					t.Errorf("%q never was", key)
				}
			}
		})
	}
}
