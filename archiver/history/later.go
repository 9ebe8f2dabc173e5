package history

import "context"

// planLater plans a moment after the newest commit that the archive holds of the history.
// outside is the error for that; hole is what is known to be missing.
func (l *lineage) planLater(ctx context.Context, p Point, outside *PointError, hole *MissingError) (*Plan, error) {
	if p.Before.IsZero() {
		// The newest archived state is the state of that moment only if a heartbeat says so, and
		// the archive ends with the sequence number that the heartbeat names.
		h, err := l.A.Heartbeat(ctx, l.Store, outside.Timeline)
		if err != nil {
			return nil, err
		}
		if h != nil && h.Seq == outside.Seq && h.At.After(outside.Time) {
			outside.Time = h.At
		}
		if p.Time.After(outside.Time) {
			return nil, outside
		}
	}
	return l.complete(ctx, p, hole, len(l.links))
}
