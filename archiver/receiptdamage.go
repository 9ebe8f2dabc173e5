package archiver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/varve-db/varve/segment"
)

// A DamagedReceiptError says that the file of a receipt is not what was written. It
// tells nothing of the object, which is asked for again.
type DamagedReceiptError struct {
	File    string
	Segment segment.Ref // by the name of the file
	Err     error       // what does not check
}

// Error names the file and what must be done.
func (e *DamagedReceiptError) Error() string {
	return e.problem() + "; the archive has to be asked for the object, and the receipt written again"
}

// problem is the error without the next step.
func (e *DamagedReceiptError) problem() string {
	return fmt.Sprintf("receipt %s of segment %v: damaged: %v", e.File, e.Segment, e.Err)
}

// Unwrap returns what does not check.
func (e *DamagedReceiptError) Unwrap() error { return e.Err }

// receiptsAtStart is how many receipts an archiver reads when it begins: all of most
// stores, in a few milliseconds, and of a bigger one a share that is drawn each time, so that
// what a start costs does not grow with the store. An audit reads all.
const receiptsAtStart = 1024

// damaged returns which of the receipts are damaged, of as many as are read at a start.
func (r *Receipts) damaged(ctx context.Context, targetID string, refs []segment.Ref) ([]*DamagedReceiptError, error) {
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

// asideName is the folder of receipts that were damaged, each under the name that it had,
// with a number.
const asideName = "quarantine"

// setAside takes a damaged receipt out of the way of the new one. Should the machine end
// between the two, there is no receipt, and the target is asked.
func (r *Receipts) setAside(name string) error {
	if err := r.fsys.Mkdir(asideName); err != nil {
		return err
	}
	for n := 1; ; n++ {
		to := fmt.Sprintf("%s/%s.%d", asideName, strings.ReplaceAll(name, "/", "-"), n)
		_, err := r.fsys.Stat(to)
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := ignoreAbsent(r.fsys.Rename(name, to)); err != nil {
			return err
		}
		return errors.Join(r.fsys.SyncDir(asideName), r.fsys.SyncDir(".")) // what it said may be wanted
	}
}
