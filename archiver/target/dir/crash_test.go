package dir_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

const crashSeed = 1

// scene is a target and the receipts for it, on one disk.
type scene struct {
	disk     *crashfs.FS
	target   *dir.Dir
	receipts *receipt.Folder
}

// The folders of the scene, each in one of its own, so that a sync of the one's name
// is none of the other's.
const (
	crashArchive  = "mnt/archive"
	crashReceipts = "var/receipts"
)

// newDisk returns a disk with two empty folders, whose names were not synced.
func newDisk(t testing.TB) *crashfs.FS {
	t.Helper()
	disk := crashfs.New()
	testkit.Must(t, errors.Join(disk.Mkdir("mnt"), disk.Mkdir("var"), disk.SyncDir("."), disk.Mkdir(crashArchive), disk.Mkdir(crashReceipts)))
	return disk
}

// openScene opens what is on the disk, as a process that starts does. An archive whose
// folder is lost is begun anew.
func openScene(disk *crashfs.FS) (scene, error) {
	err := disk.Mkdir(crashArchive)
	receipts, rerr := receipt.Open(vfs.Sub(disk, crashReceipts))
	return scene{disk, dir.OpenFS(vfs.Sub(disk, crashArchive), "file:///archive"), receipts}, errors.Join(err, rerr)
}

const crashTarget = "000102030405060708090a0b0c0d0e0f"

var crashStore = segment.UUID{1}

// shipped are the segments: nothing, a few sectors, more than a buffer.
func shipped() map[segment.Ref][]byte {
	rng := rand.NewChaCha8([32]byte{crashSeed})
	segments := map[segment.Ref][]byte{}
	for i, n := range []int{0, 1500, 300 << 10} {
		b := make([]byte, n)
		_, _ = rng.Read(b)
		segments[segment.Ref{Timeline: segment.Timeline(1 + i/2), ID: segment.ID(i + 1)}] = b
	}
	return segments
}

func nameOf(ref segment.Ref) string {
	return fmt.Sprintf("%v/%v/%v.seg", crashStore, ref.Timeline, ref.ID)
}

// ship is the archiver in small: a receipt, or the object that is there, or a
// put; and then the receipt.
func (s scene) ship(t testing.TB, ref segment.Ref, b []byte) error {
	ok, err := s.receipts.Has(crashTarget, ref)
	if ok || err != nil {
		return err
	}
	name, sum := nameOf(ref), sha256.Sum256(b)
	info, err := s.target.Sum(t.Context(), name)
	switch {
	case errors.Is(err, target.ErrNotExist):
		err = s.target.Put(t.Context(), name, bytes.NewReader(b), int64(len(b)), sum)
	case err == nil && info.SHA256 != sum:
		err = target.ErrConflict
	}
	if err != nil {
		return err
	}
	return s.receipts.Write(receipt.Receipt{Target: crashTarget, Store: crashStore, Segment: ref, Kind: "log", Object: name, Size: int64(len(b)), SHA256: sum})
}

func (s scene) shipAll(t testing.TB, after func(segment.Ref)) error {
	for i := range segment.ID(3) {
		ref := segment.Ref{Timeline: segment.Timeline(1 + i/2), ID: i + 1}
		if err := s.ship(t, ref, shipped()[ref]); err != nil {
			return fmt.Errorf("%v: %w", ref, err)
		}
		after(ref)
	}
	return nil
}

// verify reports what must not be after a crash: an object in part, a receipt
// without its object.
func (s scene) verify(t testing.TB, durable map[segment.Ref]bool) (err error) {
	for ref, want := range shipped() {
		r, oerr := s.target.Open(t.Context(), nameOf(ref), 0, -1)
		whole := false
		if oerr == nil {
			got, rerr := io.ReadAll(r)
			if whole = bytes.Equal(got, want); !whole {
				err = errors.Join(err, rerr, fmt.Errorf("object %v is there with %d bytes that are not the %d put", ref, len(got), len(want)))
			}
			err = errors.Join(err, r.Close())
		} else if !errors.Is(oerr, target.ErrNotExist) {
			err = errors.Join(err, oerr)
		}
		_, receipt, rerr := s.receipts.Get(crashTarget, ref)
		if err = errors.Join(err, rerr); receipt && !whole {
			err = errors.Join(err, fmt.Errorf("the receipt of %v is there without its object", ref))
		}
		if durable[ref] && !receipt {
			err = errors.Join(err, fmt.Errorf("the receipt of %v was durable and is lost", ref))
		}
	}
	return err
}

// reopen verifies what a crash left, ships all again, and verifies once more.
func reopen(t testing.TB, crashed *crashfs.FS, durable map[segment.Ref]bool) error {
	s, err := openScene(crashed)
	if err != nil {
		return err
	}
	if err := s.verify(t, durable); err != nil {
		return err
	}
	all := map[segment.Ref]bool{}
	if err := s.shipAll(t, func(ref segment.Ref) { all[ref] = true }); err != nil {
		return fmt.Errorf("shipped again: %w", err)
	}
	if err := errors.Join(s.verify(t, all), s.target.Probe(t.Context())); err != nil {
		return err
	}
	for _, name := range crashed.Names() {
		if strings.Contains(name, ".tmp-") {
			return fmt.Errorf("%s is left", name)
		}
	}
	return nil
}

// TestDirPowerCut cuts the power after every operation of shipping.
func TestDirPowerCut(t *testing.T) {
	disk := newDisk(t)
	rec := disk.Record()
	done := map[segment.Ref]int{}
	s, err := openScene(disk)
	testkit.Must(t, err)
	testkit.Must(t, s.shipAll(t, func(ref segment.Ref) { done[ref] = rec.Ops() }))
	states := 0
	for n := rec.First(); n <= rec.Ops(); n++ {
		durable := map[segment.Ref]bool{}
		for ref, op := range done {
			durable[ref] = n >= op
		}
		for state, crashed := range rec.At(n).States(crashSeed) {
			states++
			if err := reopen(t, crashed, durable); err != nil {
				t.Errorf("cut after %v, %v: %v", rec.Op(n), state, err)
			}
		}
	}
	t.Logf("%d operations, %d states", rec.Ops()-rec.First(), states)
}

// TestDirKilledThenPowerCut kills the archiver after every operation; another
// one goes on, and believes what it finds; then the power is cut.
func TestDirKilledThenPowerCut(t *testing.T) {
	disk := newDisk(t)
	rec := disk.Record()
	s, err := openScene(disk)
	testkit.Must(t, err)
	testkit.Must(t, s.shipAll(t, func(segment.Ref) {}))
	for n := rec.First(); n <= rec.Ops(); n++ {
		killed := rec.At(n)
		s, err := openScene(killed)
		testkit.Must(t, err)
		all := map[segment.Ref]bool{}
		testkit.Must(t, s.shipAll(t, func(ref segment.Ref) { all[ref] = true }))
		for state, crashed := range killed.States(crashSeed) {
			s, err := openScene(crashed)
			if err == nil {
				err = s.verify(t, all)
			}
			if err != nil {
				t.Errorf("killed after %v, then cut, %v: %v", rec.Op(n), state, err)
			}
		}
	}
}

// TestDirFailedCalls lets each call fail once. What was not acknowledged is
// shipped again, and then the power is cut.
func TestDirFailedCalls(t *testing.T) {
	for n := 1; ; n++ {
		disk := newDisk(t)
		s, err := openScene(disk)
		testkit.Must(t, err)
		calls := disk.Calls()
		disk.Fail(crashfs.FailNth(n, syscall.EIO, true))
		all := map[segment.Ref]bool{}
		err = s.shipAll(t, func(ref segment.Ref) { all[ref] = true })
		if disk.Calls()-calls < n {
			return
		}
		if err != nil && !errors.Is(err, syscall.EIO) {
			t.Errorf("call %d fails: %v", n, err)
		}
		if err := s.verify(t, all); err != nil {
			t.Errorf("call %d fails: %v, then: %v", n, err, err)
		}
		if err := s.shipAll(t, func(ref segment.Ref) { all[ref] = true }); err != nil {
			t.Errorf("call %d fails, shipped again: %v", n, err)
		}
		for state, crashed := range disk.States(crashSeed) {
			if err := reopen(t, crashed, all); err != nil {
				t.Errorf("call %d fails, then a power cut, %v: %v", n, state, err)
			}
		}
	}
}

// TestDirDeletePowerCut: a delete that returned is for good.
func TestDirDeletePowerCut(t *testing.T) {
	disk := newDisk(t)
	s, err := openScene(disk)
	testkit.Must(t, err)
	testkit.Must(t, archivetest.Put(s.target, "a/b", []byte("x")))
	rec := disk.Record()
	testkit.Must(t, s.target.Delete(t.Context(), "a/b"))
	for n := rec.First(); n <= rec.Ops(); n++ {
		killed := rec.At(n) // somebody deletes again, and believes that it is gone
		s, err := openScene(killed)
		testkit.Must(t, err)
		testkit.Must(t, s.target.Delete(t.Context(), "a/b"))
		for _, disk := range []*crashfs.FS{rec.At(rec.Ops()), killed} {
			for state, crashed := range disk.States(crashSeed) {
				if len(crashed.Names()) > 0 {
					t.Errorf("cut after %v, %v: %q", rec.Op(n), state, crashed.Names())
				}
			}
		}
	}
}
