package archiver

import "context"

// planLater plans a moment that is later than all that the archive holds of the history.
// outside is the error for that, and hole what is known to be missing.
func (l *lineage) planLater(ctx context.Context, p Point, outside *PointError, hole *MissingError) (*Plan, error) {
	if p.Before.IsZero() {
		return nil, outside
	}
	return l.complete(ctx, p, hole, len(l.links))
}
