package repair_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/check"
	"github.com/varve-db/varve/integrity/internal/injured"
	"github.com/varve-db/varve/integrity/repair"
	"github.com/varve-db/varve/internal/vfs"
)

// segmentsOf returns the segment files of a store with what they hold.
func segmentsOf(p *injured.Store) map[string][]byte {
	files := map[string][]byte{}
	for _, name := range p.FS.Names() {
		if !strings.Contains(name, "/") && (strings.HasSuffix(name, ".seg") || strings.HasSuffix(name, ".open")) {
			files[name] = p.Bytes(name)
		}
	}
	return files
}

// TestEveryInjuryIsHealedFromACopy repairs the store after each injury, from a copy
// that was made before: its files are the copy's, byte for byte, and check finds nothing any
// more. What is of a newer version nobody touches.
func TestEveryInjuryIsHealedFromACopy(t *testing.T) {
	for _, x := range injured.Injuries() {
		t.Run(x.Name, func(t *testing.T) {
			copy := injured.New(t, x.Crashed)
			p := injured.New(t, x.Crashed)
			x.Hurt(p)
			before := segmentsOf(p)
			plan, err := repair.Run(t.Context(), p.FS, repair.Options{From: repair.FolderDonor(vfs.AsFS(copy.FS), "COPY")})
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(x.Name, "newer version") || strings.Contains(x.Name, "two of them") { // which is not repair's to decide
				for name, b := range before {
					if !bytes.Equal(p.Bytes(name), b) {
						t.Errorf("%s was changed", name)
					}
				}
				if len(plan.Left) == 0 {
					t.Error("nothing is said to be left")
				}
				return
			}
			r, err := check.Run(t.Context(), p.View(), check.Options{Level: integrity.Full})
			if err != nil || len(r.Findings) > 0 || len(plan.Left) > 0 {
				t.Errorf("after repair: %+v, %v; left: %+v", r, err, plan.Left)
			}
			if x.Harmless {
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
				if !bytes.Equal(p.FS.Bytes(name), b) && len(b) > 0 && !kept(p, b) {
					t.Errorf("%s, as it was, is nowhere any more", name)
				}
			}
		})
	}
}

// kept reports whether some file has these bytes.
func kept(p *injured.Store, b []byte) bool {
	return slices.ContainsFunc(p.FS.Names(), func(name string) bool { return bytes.Equal(p.FS.Bytes(name), b) })
}

// TestALogWithoutItsEndIsNoTwin has a sealed log with a damaged value, and beside it the
// log that it was made from, cut off at a record: the seal says that the log was
// ended, so the rest of it counts.
func TestALogWithoutItsEndIsNoTwin(t *testing.T) {
	p := injured.New(t, false)
	whole := p.Bytes(injured.SegName(3))
	list := injured.Records(t, whole)
	cut := list[len(list)/2]
	p.Put(injured.LogName(3), whole[:cut.Offset], 0o600)
	p.Edited(injured.SegName(3), func(b []byte) []byte {
		last := list[len(list)-2]
		b[last.Offset+last.HeadSize()] ^= 1
		return b
	})
	damaged := p.Bytes(injured.SegName(3))
	plan, err := repair.Run(t.Context(), p.FS, repair.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Left) == 0 || !bytes.Equal(p.FS.Bytes(injured.SegName(3)), damaged) {
		t.Errorf("steps %+v, left %+v", plan.Steps, plan.Left)
	}
}
