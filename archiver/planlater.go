package archiver

import "context"

// planLater plans a moment that is later than all that the archive holds of the history.
// outside is the error for that.
func (l *lineage) planLater(ctx context.Context, p Point, outside *PointError) (*Plan, error) {
	if p.Before.IsZero() {
		return nil, outside
	}
	plan, err := l.planNewest(ctx, p)
	if err == nil && len(plan.Held) > 0 {
		return nil, &MissingError{Where: l.a.target.URL(), Store: l.store, Point: p, Missing: plan.Held}
	}
	return plan, err
}
