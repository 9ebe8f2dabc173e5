package archiver

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/segment"
)

// receiptsAtStart is how many receipts an archiver reads when it begins: all of most
// stores, in a few milliseconds, and of a bigger one a share that is drawn each time, so that
// what a start costs does not grow with the store. An audit reads all.
const receiptsAtStart = 1024

// damagedReceipts returns which of the receipts are damaged, of as many as are read at a start.
func damagedReceipts(ctx context.Context, r *receipt.Folder, targetID string, refs []segment.Ref) ([]*receipt.DamagedError, error) {
	if n := len(refs); n > receiptsAtStart {
		from := rand.IntN(n)
		refs = slices.Concat(refs[from:], refs[:from])[:receiptsAtStart]
	}
	found := make([]*receipt.DamagedError, len(refs))
	err := parallel.Each(ctx, 4, len(refs), func(_ context.Context, i int) error {
		_, _, err := r.Get(targetID, refs[i])
		found[i], _ = errors.AsType[*receipt.DamagedError](err) // whatever else it is says who needs the receipt
		return nil
	})
	return slices.DeleteFunc(found, func(e *receipt.DamagedError) bool { return e == nil }), err
}
