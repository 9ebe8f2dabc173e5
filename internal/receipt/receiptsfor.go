package receipt

import (
	"errors"

	"github.com/varve-db/varve/integrity"
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

// WhoHas puts into an error about missing segments, or a damaged one, of the store in fsys which
// archives have them, by the receipts in its folder. Only of the first few segments is that asked,
// each with one small file an archive.
func WhoHas(fsys vfs.FS, err error) error {
	const most = 5
	receipts := vfs.Sub(fsys, integrity.ReceiptsName)
	if e, ok := errors.AsType[*integrity.MissingError](err); ok {
		e.Archives = holders(receipts, e.Segments[:min(most, len(e.Segments))])
	} else if e, ok := errors.AsType[*segment.CorruptError](err); ok && e.Segment != (segment.Ref{}) {
		e.Archives = holders(receipts, []segment.Ref{e.Segment})
	}
	return err
}

// holders returns which archives have some of the segments.
func holders(receipts vfs.FS, refs []segment.Ref) (list []segment.InArchive) {
	at := map[string]int{}
	for _, ref := range refs {
		for _, r := range For(receipts, ref) {
			i, ok := at[r.URL]
			if !ok {
				i = len(list)
				at[r.URL], list = i, append(list, segment.InArchive{URL: r.URL, Object: r.Object})
			}
			list[i].N++
		}
	}
	return list
}
