package receipt_test

import (
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/receipt/receipttest"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// TestASoundReceiptOfOtherContentIsAConflict still: the check is right, so that it was
// written like that.
func TestASoundReceiptOfOtherContentIsAConflict(t *testing.T) {
	r := receipttest.OpenReceipts(t, crashfs.New())
	first := receipttest.ReceiptFor(receipttest.TargetA, segment.Ref{Timeline: 1, ID: 1})
	testkit.Must(t, r.Write(first))
	first.SHA256 = sha256.Sum256([]byte("other"))
	if err := r.Write(first); !errors.Is(err, receipt.ErrConflict) {
		t.Errorf("%v", err)
	}
}

// TestDamagedReceiptPowerCut cuts the power after every operation by which a new receipt takes
// the place of a damaged one: then there is one of both, and the next attempt ends with the new one.
func TestDamagedReceiptPowerCut(t *testing.T) {
	const seed = 1
	disk := crashfs.New()
	ref := segment.Ref{Timeline: 1, ID: 1}
	want := receipttest.ReceiptFor(receipttest.TargetA, ref)
	want.Format = 1
	testkit.Must(t, receipttest.OpenReceipts(t, disk).Write(want))
	name := receipttest.Name(receipttest.TargetA, ref)
	disk.SetBytes(name, disk.Bytes(name)[:200])
	rec := disk.Record()
	testkit.Must(t, receipttest.OpenReceipts(t, disk).Write(want))
	for n := rec.First(); n <= rec.Ops(); n++ {
		for state, crashed := range rec.At(n).States(seed) {
			r := receipttest.OpenReceipts(t, crashed)
			_, ok, err := r.Get(receipttest.TargetA, ref)
			if _, damaged := errors.AsType[*receipt.DamagedError](err); ok == damaged || n == rec.Ops() && !ok {
				t.Errorf("seed %d, cut after %v, %v: %v, %v", seed, rec.Op(n), state, ok, err)
			}
			if err := r.Write(want); err != nil {
				t.Errorf("seed %d, cut after %v, %v: write again: %v", seed, rec.Op(n), state, err)
			}
			if got, ok, err := r.Get(receipttest.TargetA, ref); !ok || err != nil || got != want {
				t.Errorf("seed %d, cut after %v, %v: %+v, %v", seed, rec.Op(n), state, got, err)
			}
		}
	}
}
