package archiver

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/varve-db/varve/segment"
)

// receiptsAtStart is how many receipts an archiver reads when it begins: all of most
// stores, in a few milliseconds, and of a bigger one a share that is drawn each time, so that
// what a start costs does not grow with the store. An audit reads all.
const receiptsAtStart = 1024

// damagedReceipts returns which of the receipts are damaged, of as many as are read at a start.
func damagedReceipts(ctx context.Context, r *Receipts, targetID string, refs []segment.Ref) ([]*DamagedReceiptError, error) {
	if n := len(refs); n > receiptsAtStart {
		from := rand.IntN(n)
		refs = slices.Concat(refs[from:], refs[:from])[:receiptsAtStart]
	}
	found := make([]*DamagedReceiptError, len(refs))
	err := fanOut(ctx, 4, len(refs), func(_ context.Context, i int) error {
		_, _, err := r.Get(targetID, refs[i])
		found[i], _ = errors.AsType[*DamagedReceiptError](err) // whatever else it is says who needs the receipt
		return nil
	})
	return slices.DeleteFunc(found, func(e *DamagedReceiptError) bool { return e == nil }), err
}
