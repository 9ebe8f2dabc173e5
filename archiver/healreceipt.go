package archiver

import (
	"context"
	"errors"
)

// renew writes a damaged receipt again. What it said, the store's segment says once
// that was verified; the object is looked at, and put back if need be, as with a receipt that
// says so.
func (h *healer) renew(ctx context.Context, receipts *Receipts, bad *DamagedReceiptError) error {
	s, err := h.verified(ctx, bad)
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		h.rep.Failed = append(h.rep.Failed, BadSegment{bad.Segment, bad.File, bad.problem() + "; " + refused.why})
		return nil
	}
	if err != nil {
		return err
	}
	r := s.receipt(h.a.ident.ID, h.a.target.URL(), segmentName(s.Store, s.Ref))
	if err := h.heal(ctx, &r); err != nil {
		return err
	}
	if !h.o.DryRun {
		var info Info
		err := persist(ctx, allowance(r.Size), func(ctx context.Context) (err error) {
			info, err = h.a.target.Sum(ctx, r.Object)
			return err
		})
		if errors.Is(err, ErrNotExist) || err == nil && (info.Size != r.Size || info.SHA256 != r.SHA256) {
			return nil // pruned, or it could not be put back, which was said
		}
		if err == nil {
			err = receipts.Write(r)
		}
		if err != nil {
			return err
		}
	}
	done := Healed{Ref: r.Segment, Object: bad.File, Problem: bad.problem(), Size: r.Size}
	h.rep.Healed = append(h.rep.Healed, done)
	if h.o.Done != nil {
		h.o.Done(done)
	}
	return nil
}

// verified verifies the store's segment of a damaged receipt. The error is a refusal where
// there is none that is sound.
func (h *healer) verified(ctx context.Context, bad *DamagedReceiptError) (*Shipment, error) {
	g, ok := h.local[bad.Segment]
	if !ok {
		return nil, refuse("the store does not have the segment any more, so nothing tells what the object was")
	}
	f, err := h.source.open(g.Name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := verify(ctx, f, f.size)
	problem, err := problemOf(err)
	switch {
	case err != nil:
		return nil, err
	case problem != "":
		return nil, refuse("the store's segment is no better: %s", problem)
	case s.Ref != g.Ref || s.Store != g.Store:
		return nil, refuse("the store's segment was replaced meanwhile; run it again")
	}
	return s, nil
}
