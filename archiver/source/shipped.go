package source

import "github.com/varve-db/varve/segment"

// Shipped is what an archiver knows when it has just shipped.
type Shipped struct {
	Listing *Listing      // of the store's folder, as it was shipped
	Target  string        // the ID of an archive
	Refs    []segment.Ref // the segments that have receipts of it, in no order
}
