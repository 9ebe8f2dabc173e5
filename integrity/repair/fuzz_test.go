package repair_test

import (
	"maps"
	"testing"

	"github.com/varve-db/varve/integrity/internal/fixture"
	"github.com/varve-db/varve/integrity/repair"
	"github.com/varve-db/varve/internal/crashfs"
)

// FuzzRepair repairs a folder of any bytes, by itself and with another such folder. It
// ends, deletes nothing and leaves the other as it is; what opened before opens, and
// alone it holds the same; and a second repair finds nothing more to heal.
func FuzzRepair(f *testing.F) {
	x, list := fixture.FuzzSeeds(f)
	for _, fsys := range list {
		f.Add(fixture.PackStore(fsys), fixture.PackStore(x.FS))
		f.Add(fixture.PackStore(fsys), fixture.PackStore(x.Early))
	}
	f.Fuzz(func(t *testing.T, own, other []byte) {
		fixture.Watched(t, len(own)+len(other), func() {
			copied := fixture.UnpackStore(other)
			for _, from := range []repair.Donor{nil, fixture.CopyOfStore(copied)} {
				repairAnything(t, fixture.UnpackStore(own), from)
			}
			fixture.SameFiles(t, copied, fixture.UnpackStore(other))
		})
	})
}

func repairAnything(t *testing.T, fsys *crashfs.FS, from repair.Donor) {
	before := fsys.Clone()
	was, wasErr := fixture.HeldBy(before)
	o := repair.Options{From: from}
	p, err := repair.Run(t.Context(), fsys, o)
	if err != nil {
		if p != nil {
			t.Errorf("a plan that cannot be carried out: %v; %+v", err, p.Steps)
		}
		fixture.SameFiles(t, fsys, before)
		return
	}
	keptAll(t, before, fsys)
	got, gotErr := fixture.HeldBy(fsys)
	if wasErr == nil && gotErr != nil {
		t.Errorf("it had opened, and now: %v; %+v", gotErr, p.Steps)
	}
	if wasErr == nil && from == nil && !maps.Equal(was, got) {
		t.Errorf("it holds something else; %+v", p.Steps)
	}
	again, err := repair.MakePlan(t.Context(), fsys, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range again.Steps {
		if s.Action != repair.CutTail {
			t.Errorf("%+v were done; and then there is %+v", p.Steps, s)
		}
	}
}
