package receipt

import (
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// For returns the receipts for a segment that are in the folder fsys (see
// archiver.ReceiptsDir), at most one of each archive, in order of the archives' IDs. It
// changes nothing and asks no archive. So it may be used beside an archiver, and on a store
// that may only be read. It is for advice: it leaves out a folder or receipt that is damaged,
// of a newer format, or cannot be read.
func For(fsys vfs.FS, ref segment.Ref) []Receipt {
	targets, err := fsys.ReadDir(".")
	if err != nil {
		return nil
	}
	var found []Receipt
	for _, t := range targets {
		if !t.IsDir() || !statefile.ValidID(t.Name()) {
			continue
		}
		if r, ok, err := readReceipt(fsys, t.Name(), ref); ok && err == nil {
			found = append(found, r)
		}
	}
	return found
}
