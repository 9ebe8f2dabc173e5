package receipttest

import (
	"fmt"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// TargetA and TargetB are IDs of targets.
const (
	TargetA = "000102030405060708090a0b0c0d0e0f"
	TargetB = "f0000000000000000000000000000000"
)

// OpenReceipts opens a folder of receipts.
func OpenReceipts(t testing.TB, fsys vfs.FS) *receipt.Folder {
	t.Helper()
	r, err := receipt.Open(fsys)
	testkit.Must(t, err)
	return r
}

// ReceiptFor makes up a receipt.
func ReceiptFor(target string, ref segment.Ref) receipt.Receipt {
	store := segment.UUID{1, 2, 3}
	return receipt.Receipt{Target: target, URL: "file:///mnt/a", Store: store, Segment: ref, Kind: "log", Object: fmt.Sprintf("%v/%v/%v.seg", store, ref.Timeline, ref.ID), Size: 4096,
		SHA256: segment.Digest{0xab, 31: 0xcd}, Shipped: time.Date(2026, 11, 20, 16, 40, 6, 7, time.UTC),
		FirstSeq: 1, LastSeq: 12, FirstTime: 1e18, LastTime: 1e18 + 5, Puts: 10, Deletes: 2}
}

// Name returns the name of a receipt's file. It is spelled out a second time here, so that a
// change of it is noticed by a test.
func Name(targetID string, ref segment.Ref) string {
	return fmt.Sprintf("%s/%v-%v.json", targetID, ref.ID, ref.Timeline)
}

// File returns the bytes of a receipt's file.
func File(t testing.TB, r receipt.Receipt) []byte {
	t.Helper()
	disk := crashfs.New()
	testkit.Must(t, OpenReceipts(t, disk).Write(r))
	return disk.Bytes(Name(r.Target, r.Segment))
}
