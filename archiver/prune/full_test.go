package prune

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
)

// pruneDisk is a disk with the archive of a prune scene in a folder, in which segments 1
// to 3 are due if planned, and of two backups the first is to be given up.
func pruneDisk(t *testing.T, planned bool) (*pruneScene, *crashfs.FS) {
	t.Helper()
	s := newPruneScene(t)
	s.backup(archivesim.Refs(1, 4, 5)...)
	s.backup(archivesim.Refs(1, 5, 6)...)
	if planned {
		s.prune(Options{})
		s.now = s.now.Add(25 * time.Hour)
	}
	disk := crashfs.New()
	for _, name := range slices.Sorted(maps.Keys(s.target.Objects)) {
		disk.SetBytes(name, s.target.Objects[name].B)
	}
	return s, disk
}

// pruneOn prunes what is on a disk, as a process that starts does.
func (s *pruneScene) pruneOn(disk *crashfs.FS) (*archive.Archive, *Report, error) {
	a, err := archive.Open(s.t.Context(), dir.OpenFS(disk, "file:///archive"))
	if err != nil {
		return nil, nil, err
	}
	rep, err := Run(s.t.Context(), a, archivesim.UUID, Options{Now: s.now, Policy: Policy{Keep: 1}})
	return a, rep, err
}

// finish prunes twice, a day apart, and holds what is left against an undisturbed prune.
func (s *pruneScene) finish(disk *crashfs.FS) error {
	later := *s
	for range 3 {
		later.now = later.now.Add(25 * time.Hour)
		a, _, err := later.pruneOn(disk)
		if err == nil {
			err = evident(s.t.Context(), a, archivesim.Refs(1, 4, 5, 6, 7, 8, 9))
		}
		if err != nil {
			return fmt.Errorf("pruned again: %w", err)
		}
	}
	want := s.target.Objects[archive.SegmentName(archivesim.UUID, archivesim.Refs(1, 9)[0])]
	var left []string
	for _, name := range disk.Names() {
		if _, _, ext, ok := archive.ParseRefName(name); ok && ext == "seg" {
			left = append(left, name)
		}
	}
	if len(left) != 6 || len(disk.Bytes(left[5])) != len(want.B) {
		return fmt.Errorf("pruned again: segments left: %q", left)
	}
	for _, name := range disk.Names() {
		if strings.HasPrefix(name, archivesim.Folder("prune")) {
			return fmt.Errorf("pruned again: %s is left", name)
		}
	}
	for _, ref := range archivesim.Refs(1, 1, 2, 3) {
		if disk.Bytes(archive.RefName(archivesim.UUID, ref, "gone")) == nil {
			return fmt.Errorf("pruned again: segment %v has no marker", ref)
		}
	}
	return nil
}

// TestPrunePowerCut cuts the power after every operation of a prune that deletes
// segments and backups, and writes markers.
func TestPrunePowerCut(t *testing.T) {
	const seed = 1
	s, disk := pruneDisk(t, true)
	rec := disk.Record()
	if _, rep, err := s.pruneOn(disk); err != nil || rep.Deleted.Segments != 3 {
		t.Fatalf("%+v, %v", rep, err)
	}
	states := 0
	for n := rec.First(); n <= rec.Ops(); n++ {
		again := true // once for each operation: it is the slow part
		for state, crashed := range rec.At(n).States(seed) {
			states++
			a, err := archive.Open(t.Context(), dir.OpenFS(crashed, "file:///archive"))
			if err == nil {
				err = evident(t.Context(), a, archivesim.Refs(1, 4, 5, 6, 7, 8, 9))
			}
			if err == nil {
				_, err = history.At(t.Context(), a, archivesim.UUID, history.Point{})
			}
			if err == nil && again {
				err = s.finish(crashed)
			}
			again = again && testing.Short()
			if err != nil {
				t.Errorf("cut after %v, %v: %v", rec.Op(n), state, err)
			}
		}
	}
	t.Logf("%d operations, %d states", rec.Ops()-rec.First(), states)
}

// TestPruneFailedCalls lets each call of a prune fail once, and each call that may find
// no room, and all such calls after it.
func TestPruneFailedCalls(t *testing.T) {
	for _, c := range []struct {
		fault error
		once  bool
		kinds []crashfs.OpKind
	}{
		{syscall.EIO, true, nil},
		{syscall.ENOSPC, true, []crashfs.OpKind{crashfs.OpCreate, crashfs.OpWrite, crashfs.OpSync, crashfs.OpLink}},
		{syscall.ENOSPC, false, []crashfs.OpKind{crashfs.OpCreate, crashfs.OpWrite, crashfs.OpSync, crashfs.OpLink}},
	} {
		for n := 1; ; n++ {
			s, disk := pruneDisk(t, true)
			var failed atomic.Bool // several goroutines call
			hook := crashfs.FailNth(n, c.fault, c.once, c.kinds...)
			disk.Fail(func(op crashfs.Op) error {
				err := hook(op)
				if err != nil {
					failed.Store(true)
				}
				return err
			})
			_, _, err := s.pruneOn(disk)
			disk.Fail(nil)
			if err != nil && !errors.Is(err, c.fault) {
				t.Errorf("%v at call %d: %v", c.fault, n, err)
			}
			a, err2 := archive.Open(t.Context(), dir.OpenFS(disk, "file:///archive"))
			if err2 == nil {
				err2 = evident(t.Context(), a, archivesim.Refs(1, 4, 5, 6, 7, 8, 9))
			}
			if err2 == nil {
				err2 = s.finish(disk)
			}
			if err2 != nil {
				t.Errorf("%v at call %d, once %v: %v; then: %v", c.fault, n, c.once, err, err2)
			}
			if !failed.Load() {
				break
			}
		}
	}
}

// TestPruneOfAFullArchive: what is written down is deleted without any room, and the
// first phase has the room of the reserve.
func TestPruneOfAFullArchive(t *testing.T) {
	s, disk := pruneDisk(t, true)
	disk.SetFree(0)
	a, rep, err := s.pruneOn(disk)
	if err != nil || rep.Deleted.Segments != 3 || len(rep.Backups) != 1 || len(rep.Notes) != 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
	testkit.Must(t, evident(t.Context(), a, archivesim.Refs(1, 4, 5, 6, 7, 8, 9)))
	for _, ref := range archivesim.Refs(1, 1, 2, 3) {
		if disk.Bytes(archive.RefName(archivesim.UUID, ref, "gone")) == nil {
			t.Errorf("segment %v has no marker", ref)
		}
	}

	s, disk = pruneDisk(t, false)
	disk.SetFree(0)
	if _, rep, err = s.pruneOn(disk); err != nil || rep.Planned.Segments != 3 {
		t.Fatalf("the first phase: %+v, %v", rep, err)
	}
	disk.SetFree(0)
	testkit.Must(t, s.finish(disk))
	disk.SetFree(-1)
	testkit.Must(t, s.finish(disk))
	if len(disk.Bytes(target.ReserveName)) != 64<<10 {
		t.Error("the reserve is not there again")
	}
}
