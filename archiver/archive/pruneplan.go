package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// PrunePlan is what the first phase of a prune leaves for the second. It holds one of two
// things. Segments are those that nothing needed then: the second phase deletes those of them
// that nothing needs by then either. Drops are tips that are given up. Such a plan stays as long
// as the timelines do, since no segment says that its tip was given up.
//
// Beside a plan of segments stands an object that says that the plan waits. The second phase
// removes this object before it deletes a segment, and removes the plan after it wrote a marker
// for each segment. So each segment of a plan that does not wait counts as deleted, as if it had
// a marker. This takes no room on a full target: an object is removed, none is written.
type PrunePlan struct {
	Format   int           `json:"format"`
	ID       uint64        `json:"id"`
	Store    segment.UUID  `json:"store"`
	Made     time.Time     `json:"made"`            // UTC
	Drops    []Drop        `json:"drops,omitempty"` // tips given up
	Bytes    int64         `json:"bytes"`           // of the segments
	Segments []segment.Run `json:"segments"`
	Sum      string        `json:"sum"` // the checksum of all before it

	stored time.Time // by the target's clock
	Waits  bool      // the second phase has not begun
}

func (p *PrunePlan) format() *int { return &p.Format }
func (p *PrunePlan) sum() *string { return &p.Sum }
func (p *PrunePlan) check() error { return checkRuns(p.Segments) }

// Object returns the name of the plan's object.
func (p *PrunePlan) Object() string { return PlanName(p.Store, p.ID, "json") }

// Waiting returns the name of the object that says that the plan waits.
func (p *PrunePlan) Waiting() string { return PlanName(p.Store, p.ID, "wait") }

// Due is when the second phase may begin: the grace after the plan was made, by its maker's
// clock and by the target's. So one wrong clock does not shorten the grace.
func (p *PrunePlan) Due(grace time.Duration) time.Time {
	made := p.Made
	if p.stored.After(made) {
		made = p.stored
	}
	return made.Add(grace)
}

// plansOf returns the folder of a store's prune plans.
func plansOf(store segment.UUID) string { return store.String() + "/prune/" }

// PlanName returns the name of a plan (json), or of the object that says that the plan waits
// (wait). The second is put first, and comes second in a listing. So a listing that has the
// plan alone was made when the plan waited no more.
func PlanName(store segment.UUID, id uint64, ext string) string {
	return fmt.Sprintf("%s%020d.%s", plansOf(store), id, ext)
}

// PrunePlans reads the plans of a store that were not carried out yet, in order.
// The error is an *UnreadableError, or the target's.
func (a *Archive) PrunePlans(ctx context.Context, store segment.UUID) ([]*PrunePlan, error) {
	plans, _, err := a.PlansAndStrays(ctx, store)
	return plans, err
}

// PlansAndStrays is PrunePlans, and also returns the ids of plans that were never written though
// an object says that they wait: their writer was killed.
func (a *Archive) PlansAndStrays(ctx context.Context, store segment.UUID) (plans []*PrunePlan, strays []uint64, err error) {
	for info, err := range a.target.List(ctx, plansOf(store), "") {
		if err != nil {
			return nil, nil, err
		}
		if id, ok := waitingID(info.Name, store); ok {
			if n := len(plans); n > 0 && plans[n-1].ID == id {
				plans[n-1].Waits = true
			} else {
				strays = append(strays, id)
			}
			continue
		}
		p := &PrunePlan{stored: info.Modified}
		err := a.readManifest(ctx, info.Name, p)
		switch {
		case errors.Is(err, target.ErrNotExist):
			continue // carried out meanwhile
		case err != nil:
			return nil, nil, err
		case p.Store != store || p.Object() != info.Name:
			return nil, nil, &UnreadableError{a.At(info.Name), errors.New("its content does not match its name")}
		}
		plans = append(plans, p)
	}
	return plans, strays, nil
}

// waitingID is the inverse of PlanName for objects that say that a plan waits.
func waitingID(name string, store segment.UUID) (uint64, bool) {
	digits, ok := strings.CutSuffix(strings.TrimPrefix(name, plansOf(store)), ".wait")
	id, err := strconv.ParseUint(digits, 10, 64)
	return id, ok && err == nil && PlanName(store, id, "wait") == name
}

// PutPlan gives a plan a number of its own and stores it. A plan of segments waits from the
// start.
func (a *Archive) PutPlan(ctx context.Context, p *PrunePlan) error {
	for p.ID = planID(p.Made); ; p.ID++ {
		err := a.HoldPlan(ctx, p)
		if err == nil {
			err = a.putManifest(ctx, p.Object(), p)
			if errors.Is(err, target.ErrFull) || errors.Is(err, target.ErrExists) { // else it may be there
				err = errors.Join(err, a.target.Delete(ctx, p.Waiting()))
			}
		}
		if !errors.Is(err, target.ErrExists) {
			return err
		}
	}
}

// planID is the first number that a plan tries to have: plans are named in the order in
// which they were made, as far as clocks go.
func planID(made time.Time) uint64 { return uint64(made.UnixNano()) }

// PutBegun is PutPlan for a plan that does not wait: what is left of one that has begun.
func (a *Archive) PutBegun(ctx context.Context, p *PrunePlan) error {
	for p.ID = planID(p.Made); ; p.ID++ {
		_, err := a.target.Stat(ctx, p.Waiting()) // left by a writer that was killed: it would make this plan wait
		if err == nil {
			continue
		}
		if !errors.Is(err, target.ErrNotExist) {
			return err
		}
		if err := a.putManifest(ctx, p.Object(), p); !errors.Is(err, target.ErrExists) {
			return err
		}
	}
}

// HoldPlan says that a plan waits, if it is one of segments.
func (a *Archive) HoldPlan(ctx context.Context, p *PrunePlan) error {
	if len(p.Segments) == 0 {
		return nil
	}
	return a.putSmall(ctx, p.Waiting(), nil)
}

// DropsIn returns the tips that plans give up.
func DropsIn(plans []*PrunePlan) (drops []Drop) {
	for _, p := range plans {
		drops = append(drops, p.Drops...)
	}
	return drops
}

// Begun returns the segments that prune has begun to delete, or has deleted without a marker
// yet. They are the segments of the plans that do not wait, except what a backup pins: the
// second phase spares that. If except is not zero, that backup does not count: it came later.
func (a *Archive) Begun(ctx context.Context, store segment.UUID, plans []*PrunePlan, except uint64) (segment.Set, error) {
	var set, pinned segment.Set
	for _, p := range plans {
		if !p.Waits {
			set = set.Union(segment.SetOfRuns(p.Segments...))
		}
	}
	if set.Len() == 0 {
		return set, nil
	}
	names, err := a.BackupNames(ctx, store)
	if err != nil {
		return set, err
	}
	ids := slices.DeleteFunc(names.Ids, func(id uint64) bool { return id == except })
	backups, err := a.ReadBackups(ctx, store, ids)
	if err != nil && backups == nil { // what cannot be read protects nothing here
		return set, err
	}
	for _, b := range backups {
		pinned = pinned.Union(segment.SetOfRuns(b.Segments...))
	}
	return set.Minus(pinned), nil
}
