package archiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/varve-db/varve/segment"
)

// prunePlan is what the first phase of a prune leaves for the second. It has one of
// two contents. Segments are what nothing needed then: the second phase deletes those of
// them that nothing needs by then either. Drops are tips that are given up: they stay
// as long as their timelines do, since no segment tells that its tip was given up.
//
// Beside a plan of segments stands an object that says that it waits. The second phase
// removes that before it deletes a segment, and the plan after it wrote a
// marker for each. So a plan that does not wait says of its segments what markers say,
// and says it before any room is needed: to remove an object takes none.
type prunePlan struct {
	Format   int           `json:"format"`
	ID       uint64        `json:"id"`
	Store    segment.UUID  `json:"store"`
	Made     time.Time     `json:"made"`            // UTC
	Drops    []Drop        `json:"drops,omitempty"` // tips given up
	Bytes    int64         `json:"bytes"`           // of the segments
	Segments []segment.Run `json:"segments"`
	Sum      string        `json:"sum"` // see manifest

	stored time.Time // by the target's clock
	waits  bool      // the second phase has not begun
}

func (p *prunePlan) format() *int    { return &p.Format }
func (p *prunePlan) sum() *string    { return &p.Sum }
func (p *prunePlan) check() error    { return checkRuns(p.Segments) }
func (p *prunePlan) object() string  { return planName(p.Store, p.ID, "json") }
func (p *prunePlan) waiting() string { return planName(p.Store, p.ID, "wait") }

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

// planName returns the name of a plan (json), or of the object that says that the plan
// waits (wait). In a listing the second comes after the first, and it is put first: so a
// listing that has the plan alone was made when it waited no more.
func planName(store segment.UUID, id uint64, ext string) string {
	return fmt.Sprintf("%s%020d.%s", plansOf(store), id, ext)
}

// prunePlans reads the plans of a store that were not carried out yet, in order.
// The error is an *UnreadableError, or the target's.
func (a *Archive) prunePlans(ctx context.Context, store segment.UUID) ([]*prunePlan, error) {
	plans, _, err := a.plansAndStrays(ctx, store)
	return plans, err
}

// plansAndStrays is prunePlans, with the ids of plans that were never written though an
// object says that they wait: whoever wrote them was killed.
func (a *Archive) plansAndStrays(ctx context.Context, store segment.UUID) (plans []*prunePlan, strays []uint64, err error) {
	for info, err := range a.target.List(ctx, plansOf(store), "") {
		if err != nil {
			return nil, nil, err
		}
		if id, ok := waitingID(info.Name, store); ok {
			if n := len(plans); n > 0 && plans[n-1].ID == id {
				plans[n-1].waits = true
			} else {
				strays = append(strays, id)
			}
			continue
		}
		p := &prunePlan{stored: info.Modified}
		err := a.readManifest(ctx, info.Name, p)
		switch {
		case errors.Is(err, ErrNotExist):
			continue // carried out meanwhile
		case err != nil:
			return nil, nil, err
		case p.Store != store || p.object() != info.Name:
			return nil, nil, &UnreadableError{a.at(info.Name), errors.New("it is about something else than its name says")}
		}
		plans = append(plans, p)
	}
	return plans, strays, nil
}

// waitingID is the inverse of planName for objects that say that a plan waits.
func waitingID(name string, store segment.UUID) (uint64, bool) {
	digits, ok := strings.CutSuffix(strings.TrimPrefix(name, plansOf(store)), ".wait")
	id, err := strconv.ParseUint(digits, 10, 64)
	return id, ok && err == nil && planName(store, id, "wait") == name
}

// putPlan stores a plan under a number of its own, which it gives it. One of
// segments waits from the start.
func (a *Archive) putPlan(ctx context.Context, p *prunePlan) error {
	for p.ID = planID(p.Made); ; p.ID++ {
		err := a.holdPlan(ctx, p)
		if err == nil {
			err = a.putManifest(ctx, p.object(), p)
			if errors.Is(err, ErrFull) || errors.Is(err, ErrExists) { // else it may be there
				err = errors.Join(err, a.target.Delete(ctx, p.waiting()))
			}
		}
		if !errors.Is(err, ErrExists) {
			return err
		}
	}
}

// planID is the first number that a plan tries to have: plans are named in the order in
// which they were made, as far as clocks go.
func planID(made time.Time) uint64 { return uint64(made.UnixNano()) }

// putBegun is putPlan for a plan that does not wait: what is left of one that has begun.
func (a *Archive) putBegun(ctx context.Context, p *prunePlan) error {
	for p.ID = planID(p.Made); ; p.ID++ {
		_, err := a.target.Stat(ctx, p.waiting()) // of a writer that was killed: it would have this plan wait
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrNotExist) {
			return err
		}
		if err := a.putManifest(ctx, p.object(), p); !errors.Is(err, ErrExists) {
			return err
		}
	}
}

// holdPlan says that a plan waits, if it is one of segments.
func (a *Archive) holdPlan(ctx context.Context, p *prunePlan) error {
	if len(p.Segments) == 0 {
		return nil
	}
	return a.putSmall(ctx, p.waiting(), nil)
}

// dropsIn returns the tips that plans give up.
func dropsIn(plans []*prunePlan) (drops []Drop) {
	for _, p := range plans {
		drops = append(drops, p.Drops...)
	}
	return drops
}

// begun returns the segments that prune has begun to delete, or has deleted without a
// marker yet: those of the plans that do not wait, but for what a backup pins, which
// their second phase spares. The backup except does not count, if it is not zero: it came
// later.
func (a *Archive) begun(ctx context.Context, store segment.UUID, plans []*prunePlan, except uint64) (*refSet, error) {
	set := &refSet{}
	for _, p := range plans {
		if !p.waits {
			set.addRuns(p.Segments)
		}
	}
	if set.len() == 0 {
		return set, nil
	}
	names, err := a.backupNames(ctx, store)
	if err != nil {
		return nil, err
	}
	ids := slices.DeleteFunc(names.ids, func(id uint64) bool { return id == except })
	backups, err := a.readBackups(ctx, store, ids)
	if err != nil && backups == nil { // what cannot be read protects nothing here
		return nil, err
	}
	pinned := &refSet{}
	for _, b := range backups {
		pinned.addRuns(b.Segments)
	}
	return set.minus(pinned), nil
}
