package archive_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// TestAListingInPartsIsTheListing lists stores of several timelines, with gaps, markers and
// unknown names, whole and cut where a backup says that their segments are.
func TestAListingInPartsIsTheListing(t *testing.T) {
	const seed = 11
	rnd := rand.New(rand.NewPCG(seed, 0))
	most := 0
	for round := range 4 {
		target := archivesim.NewTarget(time.Now)
		a := archivesim.Open(t, target)
		var refs []segment.Ref
		for line := range segment.Timeline(1 + rnd.IntN(3)) {
			id := segment.ID(rnd.IntN(1000))
			for range 2500 + rnd.IntN(2000) {
				id += segment.ID(1 + rnd.IntN(2)*rnd.IntN(3))
				ref := segment.Ref{Timeline: line + 1, ID: id}
				refs = append(refs, ref)
				ext := []string{"seg", "seg", "seg", "gone", "gap", "what"}[rnd.IntN(6)]
				target.Plant(t, archive.RefName(archivesim.UUID, ref, ext), []byte("x"))
			}
		}
		target.Plant(t, archivesim.BackupName(1, "json"), []byte("x"))
		b := &archive.Backup{Store: archivesim.UUID, Segments: segment.SetOf(refs[rnd.IntN(len(refs)):]...).Runs()}
		if round%2 == 0 {
			b.Segments = segment.SetOf(refs...).Runs()
		}
		cuts := a.Cuts(b)
		for _, name := range cuts { // such a segment is in one of the two parts
			if _, there := target.Look(name); !there {
				target.Plant(t, name, []byte("x"))
			}
		}
		most = max(most, len(cuts))
		if want := min(archive.ListParallel, b.Count()/archive.ListPart) - 1; len(cuts) != max(0, want) || !slices.IsSorted(cuts) {
			t.Errorf("seed %d, round %d: %d cuts for %d segments, want %d in order", seed, round, len(cuts), b.Count(), want)
		}
		whole, err := a.AllContents(t.Context(), archivesim.UUID, nil)
		testkit.Must(t, err)
		parts, err := a.AllContents(t.Context(), archivesim.UUID, cuts)
		testkit.Must(t, err)
		if !reflect.DeepEqual(whole, parts) {
			t.Errorf("seed %d, round %d: cut at %q the listing is another", seed, round, cuts)
		}
	}
	if most < 2 {
		t.Errorf("seed %d: no listing was cut into more than %d", seed, most+1)
	}
}

// folderedTarget tells the folders of a target, and those that are empty.
type folderedTarget struct {
	*archivesim.Target
	asked int
}

func (f *folderedTarget) Folders(ctx context.Context, prefix string) ([]string, error) {
	f.asked++
	names := []string{"0-empty"}
	for info, err := range f.List(ctx, prefix, "") {
		if err != nil {
			return nil, err
		}
		if name, _, deep := strings.Cut(info.Name[len(prefix):], "/"); deep {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func TestStoresAreFoundByFolders(t *testing.T) {
	to := archivesim.NewTarget(time.Now)
	a := archivesim.Open(t, to)
	for n := range 3 {
		store := archivesim.UUID
		store[3] = byte(n)
		for line := range segment.Timeline(n) {
			to.Plant(t, archive.SegmentName(store, segment.Ref{Timeline: line + 1, ID: 1}), []byte("x"))
		}
		to.Plant(t, store.String()+"/backups/00000000000000000001.json", []byte("x"))
	}
	to.Plant(t, "other/name", []byte("x"))
	want, err := a.Stores(t.Context())
	testkit.Must(t, err)
	if len(want) != 3 || len(want[2].Timelines) != 2 {
		t.Fatalf("stores %v", want)
	}
	for _, patient := range []bool{false, true} {
		f := &folderedTarget{Target: to}
		var through target.Target = f
		if patient {
			through = target.Retry(f)
		}
		a, err := archive.Open(t.Context(), through)
		testkit.Must(t, err)
		got, err := a.Stores(t.Context())
		testkit.Must(t, err)
		if fmt.Sprint(got) != fmt.Sprint(want) || f.asked != 4 {
			t.Errorf("patient %v: %v after %d requests, want %v after 4", patient, got, f.asked, want)
		}
	}
	a, err = archive.Open(t.Context(), target.Retry(to)) // tells no folders
	testkit.Must(t, err)
	if got, err := a.Stores(t.Context()); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, %v", got, err)
	}
}
