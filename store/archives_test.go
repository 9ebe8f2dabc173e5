package store

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/receipt/receipttest"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// An open that fails for a segment names the archives that have it, by the receipts beside the
// store, in its text and in a field.
func TestAFailedOpenNamesTheArchives(t *testing.T) {
	for _, injure := range []func(g *ground){
		func(g *ground) { g.remove(g.sealed[1]) },
		func(g *ground) { g.edit(g.sealed[1], func(b []byte) []byte { b[len(b)-100] ^= 1; return b }) }, // in the trailer
	} {
		g := newGround(t, false)
		db, err := openFS(g.fs, resolve(t, Options{}))
		testkit.Must(t, err)
		rec := receipttest.ReceiptFor(receipttest.TargetA, segment.Ref{Timeline: db.report.Timeline, ID: 2})
		testkit.Must(t, db.Close())
		testkit.Must(t, receipttest.OpenReceipts(t, vfs.Sub(g.fs, integrity.ReceiptsName)).Write(rec))
		injure(g)
		for open, err := range map[string]error{"writing": second(openFS(g.fs, resolve(t, Options{}))), "reading": second(openReader(g.fs, resolve(t, Options{})))} {
			var got []segment.InArchive
			if m, ok := errors.AsType[*MissingError](err); ok {
				got = m.Archives
			} else if c, ok := errors.AsType[*CorruptError](err); ok {
				got = c.Archives
			}
			if want := (segment.InArchive{URL: rec.URL, Object: rec.Object, N: 1}); !slices.Equal(got, []segment.InArchive{want}) || !strings.Contains(err.Error(), want.String()) {
				t.Errorf("for %s: %v; archives %v", open, err, got)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }
