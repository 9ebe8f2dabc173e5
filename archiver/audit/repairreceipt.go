package audit

import (
	"context"
	"errors"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
)

// renew writes a damaged receipt again. Its content comes from the store's segment, once that
// is verified. The object is looked at, and put back if need be, as with a sound receipt.
func (h *repairer) renew(ctx context.Context, receipts *receipt.Folder, bad *receipt.DamagedError) error {
	s, err := h.verified(ctx, bad)
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		h.rep.Failed = append(h.rep.Failed, archive.BadSegment{Ref: bad.Segment, Object: bad.File, Problem: bad.Problem() + "; " + refused.why})
		return nil
	}
	if err != nil {
		return err
	}
	r := s.Receipt(h.a.Identity().ID, h.a.Target().URL(), archive.SegmentName(s.Store, s.Ref))
	if err := h.repair(ctx, &r); err != nil {
		return err
	}
	if !h.o.DryRun {
		var info target.Info
		err := target.Persist(ctx, target.Allowance(r.Size), func(ctx context.Context) (err error) {
			info, err = h.a.Target().Sum(ctx, r.Object)
			return err
		})
		if errors.Is(err, target.ErrNotExist) || err == nil && (info.Size != r.Size || info.SHA256 != r.SHA256) {
			return nil // pruned, or it could not be put back, which was said
		}
		if err == nil {
			err = receipts.Write(r)
		}
		if err != nil {
			return err
		}
	}
	done := Repaired{Ref: r.Segment, Object: bad.File, Problem: bad.Problem(), Size: r.Size}
	h.rep.Repaired = append(h.rep.Repaired, done)
	if h.o.Done != nil {
		h.o.Done(done)
	}
	return nil
}

// verified verifies the store's segment of a damaged receipt. The error is a refusal where
// there is none that is sound.
func (h *repairer) verified(ctx context.Context, bad *receipt.DamagedError) (*sealed.Segment, error) {
	g, ok := h.local[bad.Segment]
	if !ok {
		return nil, refuse("the store does not have the segment any more, so there is nothing to compare the object with")
	}
	f, err := h.source.Open(g.Name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := sound(ctx, f)
	if err == nil && (s.Ref != g.Ref || s.Store != g.Store) {
		err = refuse("the store's segment was replaced meanwhile; run it again")
	}
	return s, err
}
