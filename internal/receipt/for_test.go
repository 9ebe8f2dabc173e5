package receipt_test

import (
	"slices"
	"testing"

	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/receipt/receipttest"
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// receipt.For takes what is sound, of every archive, and leaves out the rest. It makes no
// folder.
func TestReceiptsFor(t *testing.T) {
	fsys := crashfs.New()
	ref := segment.Ref{Timeline: 0xabc, ID: 41}
	var want []receipt.Receipt
	if got := receipt.For(fsys, ref); got != nil {
		t.Fatalf("of no folder: %v", got)
	}
	r := receipttest.OpenReceipts(t, fsys)
	for _, target := range []string{receipttest.TargetA, receipttest.TargetB} {
		rec := receipttest.ReceiptFor(target, ref)
		testkit.Must(t, r.Write(rec))
		testkit.Must(t, r.Write(receipttest.ReceiptFor(target, segment.Ref{Timeline: 0xabc, ID: 42})))
		rec.Format = 1
		want = append(want, rec)
	}
	testkit.Must(t, fsys.Mkdir("no archive"))
	if got := receipt.For(fsys, ref); !slices.Equal(got, want) {
		t.Errorf("got %v; want %v", got, want)
	}
	name := receipttest.Name(receipttest.TargetA, ref)
	testkit.Must(t, fsys.Remove(name))
	testkit.Must(t, statefile.WriteFile(fsys, name, []byte("{}")))
	if got := receipt.For(fsys, ref); !slices.Equal(got, want[1:]) {
		t.Errorf("with a damaged one: got %v; want %v", got, want[1:])
	}
}
