package archiver

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/varve-db/varve/segment"
)

// CheckCopy reads the segments of a backup in a restored store, every byte of them, and
// compares their digest with that of the backup: they are then the very files that
// were backed up. The error is a *segment.CorruptError, wraps ErrNotExist for a segment
// that is not there, or is one of reading.
func CheckCopy(ctx context.Context, b *Backup, fsys fs.FS) error {
	src := NewSource(fsys)
	list, err := src.Segments()
	if err != nil {
		return err
	}
	files := map[segment.Ref]string{}
	for _, g := range list.Segments {
		files[g.Ref] = g.Name
	}
	var total setDigest
	for _, ref := range b.Refs() {
		name, ok := files[ref]
		if !ok {
			return fmt.Errorf("backup %d: segment %v: %w", b.ID, ref, ErrNotExist)
		}
		s, err := src.Verify(ctx, name)
		if err != nil {
			return err
		}
		total.add(term(ref, s.Size, s.SHA256))
	}
	if got := total.digest(); got != b.Digest || list.Store != b.Store {
		return &segment.CorruptError{Segment: b.Tip, Reason: fmt.Sprintf(
			"the segments have the digest %v together; backup %d was made of %v", got, b.ID, b.Digest),
			Next: "varve backup verify --data finds the segment"}
	}
	return nil
}
