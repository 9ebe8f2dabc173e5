package archiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/receipt/receipttest"
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/testkit"
)

// injuredReceipt is a scene of two shipped segments whose receipts are in memory, and the
// receipt of one.
type injuredReceipt struct {
	*shipScene
	disk *crashfs.FS
	id   string
	name string // of the receipt's file
	good []byte
	want receipt.Receipt // what good says
}

func newInjuredReceipt(t *testing.T) *injuredReceipt {
	s := &injuredReceipt{shipScene: newShipScene(t, 1), disk: crashfs.New()}
	s.add(1, 2)
	s.once()
	id, err := target.Identify(t.Context(), s.targets[0])
	testkit.Must(t, err)
	s.id = id.ID
	s.name = receipttest.Name(id.ID, shipRef(2))
	s.good = s.disk.Bytes(s.name)
	if len(s.good) < 500 {
		t.Fatalf("the receipt is %q", s.good)
	}
	s.want, _, err = receipttest.OpenReceipts(t, s.disk).Get(s.id, shipRef(2))
	testkit.Must(t, err)
	return s
}

// options are those of the scene, with the receipts in memory.
func (s *injuredReceipt) options() Options {
	o := s.shipScene.options()
	o.receipts = s.disk
	return o
}

// once is what "archive once" does.
func (s *injuredReceipt) once() Status {
	s.t.Helper()
	a := s.archiver(s.options())
	_, err := a.Once(s.t.Context())
	testkit.Must(s.t, err)
	return a.Status()
}

// run has an archiver run until it has nothing more to do, and returns how far it then was.
func (s *injuredReceipt) run() (st Status, err error) {
	s.t.Helper()
	synctest.Test(s.t.(*testing.T), func(t *testing.T) {
		a := s.archiver(s.options())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		synctest.Wait()
		st = a.Status()
		cancel()
		err = <-done
	})
	return st, err
}

// absent fails the test unless a damaged receipt is as none: there is a good one again, no alarm,
// nothing stored twice. It puts the first receipt back.
func (s *injuredReceipt) absent(what string, damaged []byte) {
	s.t.Helper()
	s.disk.SetBytes(s.name, damaged)
	st, err := s.run()
	testkit.Must(s.t, err)
	if x := st.Targets[0]; x.Alarm != nil || x.Error != "" || x.Segments != 0 || x.Counts.Shipped != 0 || x.Counts.Found != 1 || len(st.Alarms) > 0 {
		s.t.Errorf("%s: %+v", what, st)
	}
	r, ok, err := receipttest.OpenReceipts(s.t, s.disk).Get(s.id, shipRef(2))
	r.Shipped = s.want.Shipped
	if !ok || err != nil || r != s.want {
		s.t.Errorf("%s: the receipt is %+v, %v", what, r, err)
	}
	if n := s.targets[0].stored(); n != 4 { // with identity and reserve
		s.t.Errorf("%s: %d objects were stored", what, n)
	}
	s.disk.SetBytes(s.name, s.good)
	if s.t.Failed() {
		s.t.FailNow()
	}
}

// TestEveryFlipInAReceiptIsNoticed flips a bit of each byte of a receipt, be it of its format,
// of a digit of the hash, or of the space between two fields.
func TestEveryFlipInAReceiptIsNoticed(t *testing.T) {
	s := newInjuredReceipt(t)
	for i := range s.good {
		b := slices.Clone(s.good)
		b[i] ^= 1 << (i % 8)
		s.absent(fmt.Sprintf("byte %d, %q for %q", i, b[i], s.good[i]), b)
	}
}

func TestEveryCutOfAReceiptIsNoticed(t *testing.T) {
	s := newInjuredReceipt(t)
	for n := range s.good {
		s.absent(fmt.Sprintf("cut at %d", n), slices.Clone(s.good[:n]))
	}
	s.absent("zeros", make([]byte, len(s.good)))
	s.absent("longer", append(slices.Clone(s.good), '\n'))
	s.absent("that of another segment", s.disk.Bytes(receipttest.Name(s.id, shipRef(1))))
}

// TestADamagedReceiptOfALostObject: what the archive does not have is shipped again.
func TestADamagedReceiptOfALostObject(t *testing.T) {
	s := newInjuredReceipt(t)
	testkit.Must(t, s.targets[0].Delete(t.Context(), archive.SegmentName(shipUUID, shipRef(2))))
	s.disk.SetBytes(s.name, s.good[:100])
	if st, err := s.run(); err != nil || st.Targets[0].Counts.Shipped != 1 || st.Targets[0].Alarm != nil {
		t.Errorf("%v; %+v", err, st)
	}
	if _, ok, err := receipttest.OpenReceipts(t, s.disk).Get(s.id, shipRef(2)); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

// TestADamagedReceiptIsKeptWhereNoOtherCanBeMade: the object is another one, which is an alarm
// whatever the receipt was; or the store does not have the segment any more.
func TestADamagedReceiptIsKeptWhereNoOtherCanBeMade(t *testing.T) {
	s := newInjuredReceipt(t)
	b, err := os.ReadFile(s.path(1))
	testkit.Must(t, err)
	s.targets[0].set(archive.SegmentName(shipUUID, shipRef(2)), b)
	s.disk.SetBytes(s.name, s.good[:100])
	st, err := s.run()
	if x := st.Targets[0]; !errors.Is(err, target.ErrConflict) || x.Alarm == nil || x.Alarm.Kind != alarm.Conflict {
		t.Errorf("%v; %+v", err, x)
	}
	testkit.Must(t, os.Remove(s.path(2)))
	st, err = s.run()
	if x := st.Targets[0]; err != nil || x.Alarm != nil || x.Segments != 0 {
		t.Errorf("%v; %+v", err, x)
	}
	if !bytes.Equal(s.disk.Bytes(s.name), s.good[:100]) {
		t.Error("the damaged receipt is gone, and there is no other")
	}
}

// TestDamagedStateFilesAreNotBelieved: each flip in what the archiver keeps beside the
// receipts is noticed when the file is read.
func TestDamagedStateFilesAreNotBelieved(t *testing.T) {
	disk := crashfs.New()
	testkit.Must(t, recordDrill(disk, Drill{Time: time.Unix(1e9, 0).UTC(), URL: "file:///mnt/a"}))
	good := disk.Bytes(drillName)
	var d Drill
	testkit.Must(t, statefile.Read(disk, drillName, &d))
	if d.Time.Unix() != 1e9 || d.URL != "file:///mnt/a" {
		t.Errorf("%+v", d)
	}
	for i := range good {
		b := slices.Clone(good)
		b[i] ^= 1 << (i % 8)
		disk.SetBytes(drillName, b)
		if err := statefile.Read(disk, drillName, &d); !errors.Is(err, statefile.ErrChanged) || !strings.Contains(err.Error(), drillName) || !strings.Contains(err.Error(), "remove the file") {
			t.Errorf("byte %d: %v", i, err)
		}
	}
}
