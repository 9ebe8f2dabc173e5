package archive

import (
	"context"
	"io"
	"slices"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// Donor returns the archive as a source from which a damaged store can be repaired. It verifies
// nothing: the repair does, before use.
func (a *Archive) Donor() Donor { return Donor{a} }

// Donor is an archive as a repair.Donor.
type Donor struct{ a *Archive }

// String returns the URL of the archive.
func (d Donor) String() string { return d.a.target.URL() }

// Stores implements repair.Donor.
func (d Donor) Stores(ctx context.Context) ([]segment.UUID, error) {
	stores, err := d.a.Stores(ctx)
	list := make([]segment.UUID, len(stores))
	for i, s := range stores {
		list[i] = s.UUID
	}
	return list, err
}

// Segments implements repair.Donor, by listings alone.
func (d Donor) Segments(ctx context.Context, store segment.UUID) ([]segment.Ref, error) {
	timelines, err := d.a.Timelines(ctx, store)
	if err != nil {
		return nil, err
	}
	var refs []segment.Ref
	for _, t := range timelines {
		segs, err := d.a.Segments(ctx, store, t)
		if err != nil {
			return nil, err
		}
		for _, s := range segs {
			refs = append(refs, s.Ref)
		}
	}
	slices.SortFunc(refs, segment.Ref.Compare)
	return refs, nil
}

// Segment implements repair.Donor. The source reads by range, as long as ctx is
// good.
func (d Donor) Segment(ctx context.Context, store segment.UUID, ref segment.Ref) (integrity.Source, int64, error) {
	name := SegmentName(store, ref)
	info, err := d.a.target.Stat(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	return donated{d.a.Object(ctx, name, info.Size)}, info.Size, nil
}

// donated is an object as a Source: there is nothing to close.
type donated struct{ io.ReaderAt }

func (donated) Close() error { return nil }
