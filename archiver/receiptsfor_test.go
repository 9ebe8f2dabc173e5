package archiver

import (
	"slices"
	"testing"

	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// ReceiptsFor takes what is sound, of every archive, and leaves out the rest. It makes no
// folder.
func TestReceiptsFor(t *testing.T) {
	fsys := crashfs.New()
	ref := segment.Ref{Timeline: 0xabc, ID: 41}
	var want []Receipt
	if got := ReceiptsFor(fsys, ref); got != nil {
		t.Fatalf("of no folder: %v", got)
	}
	r := openReceipts(t, fsys)
	for _, target := range []string{targetA, targetB} {
		rec := receiptFor(target, ref)
		testkit.Must(t, r.Write(rec))
		testkit.Must(t, r.Write(receiptFor(target, segment.Ref{Timeline: 0xabc, ID: 42})))
		rec.Format = 1
		want = append(want, rec)
	}
	testkit.Must(t, fsys.Mkdir(asideName))
	if got := ReceiptsFor(fsys, ref); !slices.Equal(got, want) {
		t.Errorf("got %v; want %v", got, want)
	}
	name, err := receiptName(targetA, ref)
	testkit.Must(t, err)
	testkit.Must(t, fsys.Remove(name))
	testkit.Must(t, writeFile(fsys, name, []byte("{}")))
	if got := ReceiptsFor(fsys, ref); !slices.Equal(got, want[1:]) {
		t.Errorf("with a damaged one: got %v; want %v", got, want[1:])
	}
}
