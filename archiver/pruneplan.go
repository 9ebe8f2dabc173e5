package archiver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/segment"
)

// prunePlan is what the first phase of a prune leaves for the second: the segments
// that nothing needed then. The second deletes those of them that nothing needs
// by then either.
type prunePlan struct {
	Format   int          `json:"format"`
	ID       uint64       `json:"id"`
	Store    segment.UUID `json:"store"`
	Made     time.Time    `json:"made"`            // UTC
	Drops    []Drop       `json:"drops,omitempty"` // tips given up
	Bytes    int64        `json:"bytes"`           // of the segments
	Segments []Run        `json:"segments"`
	Sum      string       `json:"sum"` // see manifest

	stored time.Time // by the target's clock
}

func (p *prunePlan) format() *int   { return &p.Format }
func (p *prunePlan) sum() *string   { return &p.Sum }
func (p *prunePlan) check() error   { return checkRuns(p.Segments) }
func (p *prunePlan) object() string { return fmt.Sprintf("%s%020d.json", plansOf(p.Store), p.ID) }

// due is when the second phase may begin: the grace after the plan was made, by
// the clock of who made it and by that of the target, so that one clock that is
// wrong does not take the grace away.
func (p *prunePlan) due(grace time.Duration) time.Time {
	made := p.Made
	if p.stored.After(made) {
		made = p.stored
	}
	return made.Add(grace)
}

// plansOf returns the folder of a store's prune plans.
func plansOf(store segment.UUID) string { return store.String() + "/prune/" }

// prunePlans reads the plans of a store that were not carried out yet, in order.
// The error is an *UnreadableError, or the target's.
func (a *Archive) prunePlans(ctx context.Context, store segment.UUID) ([]*prunePlan, error) {
	var plans []*prunePlan
	for info, err := range a.target.List(ctx, plansOf(store), "") {
		if err != nil {
			return nil, err
		}
		p := &prunePlan{stored: info.Modified}
		err := a.readManifest(ctx, info.Name, p)
		switch {
		case errors.Is(err, ErrNotExist):
			continue // carried out meanwhile
		case err != nil:
			return nil, err
		case p.Store != store || p.object() != info.Name:
			return nil, &UnreadableError{a.at(info.Name), errors.New("it is about something else than its name says")}
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// putPlan stores a plan under a number of its own, which it gives it.
func (a *Archive) putPlan(ctx context.Context, p *prunePlan) error {
	for p.ID = uint64(p.Made.UnixNano()); ; p.ID++ {
		err := a.putManifest(ctx, p.object(), p)
		if !errors.Is(err, ErrExists) {
			return err
		}
	}
}
