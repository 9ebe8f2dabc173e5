package integrity

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// segmentsOf returns the segment files of a store with what they hold.
func segmentsOf(p *sick) map[string][]byte {
	files := map[string][]byte{}
	for _, name := range p.fs.Names() {
		if !strings.Contains(name, "/") && (strings.HasSuffix(name, ".seg") || strings.HasSuffix(name, ".open")) {
			files[name] = p.bytes(name)
		}
	}
	return files
}

// TestEveryInjuryIsHealedFromACopy repairs the store after each injury, from a copy
// that was made before: its files are the copy's, byte for byte, and check finds nothing any
// more. What is of a newer version nobody touches.
func TestEveryInjuryIsHealedFromACopy(t *testing.T) {
	for _, x := range injuries() {
		t.Run(x.name, func(t *testing.T) {
			copy := newSick(t, x.crashed)
			p := newSick(t, x.crashed)
			x.hurt(p)
			before := segmentsOf(p)
			plan, err := Repair(t.Context(), p.fs, RepairOptions{From: FolderDonor(vfs.AsFS(copy.fs), "COPY")})
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(x.name, "newer version") || strings.Contains(x.name, "two of them") { // which is not repair's to decide
				for name, b := range before {
					if !bytes.Equal(p.bytes(name), b) {
						t.Errorf("%s was changed", name)
					}
				}
				if len(plan.Left) == 0 {
					t.Error("nothing is said to be left")
				}
				return
			}
			r, err := Check(t.Context(), p.view(), CheckOptions{Level: Full})
			if err != nil || len(r.Findings) > 0 || len(plan.Left) > 0 {
				t.Errorf("after repair: %+v, %v; left: %+v", r, err, plan.Left)
			}
			if x.harmless {
				return // what there is to do is an open's
			}
			want, got := segmentsOf(copy), segmentsOf(p)
			for name, b := range want {
				if !bytes.Equal(got[name], b) {
					t.Errorf("%s is not the copy's: %d bytes, want %d", name, len(got[name]), len(b))
				}
			}
			for name := range got {
				if want[name] == nil && strings.HasSuffix(name, ".seg") {
					t.Errorf("%s is still there", name)
				}
			}
			for name, b := range before { // nothing is lost
				if !bytes.Equal(p.fs.Bytes(name), b) && len(b) > 0 && !kept(p, b) {
					t.Errorf("%s, as it was, is nowhere any more", name)
				}
			}
		})
	}
}

// kept reports whether some file has these bytes.
func kept(p *sick, b []byte) bool {
	return slices.ContainsFunc(p.fs.Names(), func(name string) bool { return bytes.Equal(p.fs.Bytes(name), b) })
}

// TestEveryInjuryIsSalvaged salvages the store after each injury: every key's newest
// version is saved as it was, or is named among the losses, or its sequence number is;
// or it may be in a segment that is lost as a whole, of which the numbers are not known.
// What is saved and is not the newest is marked.
func TestEveryInjuryIsSalvaged(t *testing.T) {
	for _, x := range injuries() {
		if x.undecidable { // nothing tells that there was more
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			p := newSick(t, x.crashed)
			x.hurt(p)
			saved := map[string]Object{}
			out, err := Salvage(t.Context(), vfs.AsFS(p.fs), SalvageOptions{Object: func(o Object) error {
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
			for i := range p.objects {
				newest[string(p.objects[i].Key)] = &p.objects[i]
			}
			unacknowledged := func(r *segment.Record) bool { return x.crashed && r.Seq >= p.tail }
			for key, r := range newest {
				o, there := saved[key]
				switch {
				case there && o.Seq == r.Seq:
					if r.Kind != segment.Put || !bytes.Equal(o.Value, r.Value) && !strings.HasPrefix(x.name, "forged record") || !bytes.Equal(o.Meta, r.Meta) {
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

// TestALogWithoutItsEndIsNoTwin has a sealed log with a damaged value, and beside it the
// log that it was made from, cut off at a record: the seal says that the log was
// ended, so the rest of it counts.
func TestALogWithoutItsEndIsNoTwin(t *testing.T) {
	p := newSick(t, false)
	whole := p.bytes(segName(3))
	list := records(t, whole)
	cut := list[len(list)/2]
	p.put(logName(3), whole[:cut.Offset], 0o600)
	p.edited(segName(3), func(b []byte) []byte {
		last := list[len(list)-2]
		b[last.Offset+last.HeadSize()] ^= 1
		return b
	})
	damaged := p.bytes(segName(3))
	plan, err := Repair(t.Context(), p.fs, RepairOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Left) == 0 || !bytes.Equal(p.fs.Bytes(segName(3)), damaged) {
		t.Errorf("steps %+v, left %+v", plan.Steps, plan.Left)
	}
}
