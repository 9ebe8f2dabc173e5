package history

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/segment"
)

// Point says which moment of a store is meant. The zero value is the newest
// one. At most one of Backup, Time, Before and Seq may be set.
type Point struct {
	// Timeline is the history to go along. Zero: the only one that nothing
	// continues; where an archive holds several, one has to be named.
	Timeline segment.Timeline

	Backup uint64 // the state that a backup pins

	// Time is the state of that moment: after the last commit that is not later. The
	// archive must be known to hold all commits up to then.
	Time time.Time

	// Before is the state after the newest archived commit that is not later, whatever
	// was committed since and is not archived.
	Before time.Time

	Seq uint64 // after the last commit whose sequence numbers are not greater

	// AcceptOlder takes the newest earlier point that is complete where the archive lacks what
	// the point needs. Plan.Hole then says what is missing. Without it such a point is a
	// *MissingError.
	AcceptOlder bool
}

// newest reports whether p asks for as much as there is.
func (p *Point) newest() bool { return p.moment().IsZero() && p.Seq == 0 && p.Backup == 0 }

// moment is Time or Before, whichever is set; zero: neither.
func (p *Point) moment() time.Time { return cmp.Or(p.Time, p.Before) }

// check refuses a point that sets more than one of them.
func (p *Point) check() error {
	n := 0
	for _, set := range []bool{p.Backup != 0, !p.Time.IsZero(), !p.Before.IsZero(), p.Seq != 0} {
		if set {
			n++
		}
	}
	if n > 1 {
		return errors.New("a point is a backup, one time or a sequence number: give one of them")
	}
	return nil
}

// String names the point as its user did.
func (p *Point) String() string {
	switch {
	case p.Backup != 0:
		return fmt.Sprintf("backup %d", p.Backup)
	case !p.moment().IsZero():
		return timeText(p.moment())
	case p.Seq != 0:
		return fmt.Sprintf("sequence number %d", p.Seq)
	}
	return "the newest state"
}

// NameOne is the remedy where a point is on no tip.
const NameOne segment.Remedy = "name the timeline or the backup that is wanted"

var (
	// ErrNoPoint is wrapped by a *PointError.
	ErrNoPoint = errors.New("the archive does not reach that point")

	// ErrIncomplete is wrapped by a *MissingError.
	ErrIncomplete = errors.New("the archive lacks segments")
)

// A PointError says that a point lies outside of what an archive holds of a
// timeline.
type PointError struct {
	Where    string // the target's URL
	Store    segment.UUID
	Timeline segment.Timeline
	Point    Point
	Later    bool      // the point is later than the newest state; else it is before the oldest
	Seq      uint64    // of the newest, or of the oldest state
	Time     time.Time // of that state; of the newest, the moment up to which all commits are known to be archived
}

// Error says how far the archive reaches.
func (e *PointError) Error() string {
	at := fmt.Sprintf("%s: store %v, timeline %v", e.Where, e.Store, e.Timeline)
	switch {
	case !e.Later:
		return fmt.Sprintf("%s: %v is earlier than the oldest archived state: sequence number %d, of %s", at, &e.Point, e.Seq, timeText(e.Time))
	case e.Point.Seq != 0:
		return fmt.Sprintf("%s: %v is not archived: the newest that is archived is %d, of %s", at, &e.Point, e.Seq, timeText(e.Time))
	}
	return fmt.Sprintf("%s: what was committed by %v is not known: the archive is known to be complete up to %s, with sequence number %d; "+
		"ship what is newer, or ask for the newest archived state", at, &e.Point, timeText(e.Time), e.Seq)
}

// timeText writes a time for people, in UTC. It cuts off what is below a millisecond, so
// that the time it says is not later.
func timeText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z07:00") }

// Unwrap returns ErrNoPoint.
func (e *PointError) Unwrap() error { return ErrNoPoint }

// A MissingError says that a point cannot be restored, since the archive lacks segments that it
// needs, or holds them damaged. With Point.AcceptOlder the newest point before it is taken
// instead.
type MissingError struct {
	Where   string // the target's URL
	Store   segment.UUID
	Point   Point
	Missing []segment.Ref // in order, the damaged ones included; where not even their names are known, those on both sides of the gap are named in Between
	Between [2]segment.Ref
	Damage  []error // of each segment of Missing that is there and cannot be read, a *segment.CorruptError
	Newest  *Moment // the newest point before the one that was asked for that is complete; nil: there is none, or it was not looked for
}

// Moment is a state that a store was in.
type Moment struct {
	Timeline segment.Timeline `json:"timeline"`
	Seq      uint64           `json:"seq"`  // the last sequence number that counts
	Time     time.Time        `json:"time"` // when that was committed
}

// Error names the segments, the newest complete point, and the next step.
func (e *MissingError) Error() string {
	what := fmt.Sprintf("lacks %s", archive.RefList(e.Missing))
	if len(e.Missing) == 0 {
		what = fmt.Sprintf("lacks what was written between %v and %v", e.Between[0], e.Between[1])
	}
	for _, d := range e.Damage {
		what += fmt.Sprintf(" (%v)", d)
	}
	next := "ship it from the store"
	if n := e.Newest; n != nil {
		next = fmt.Sprintf("the newest complete point before that is sequence number %d at %s, timeline %v",
			n.Seq, n.Time.Format(time.RFC3339Nano), n.Timeline)
	}
	return fmt.Sprintf("%s: store %v: for %v the archive %s; %s", e.Where, e.Store, &e.Point, what, next)
}

// Unwrap returns ErrIncomplete, and the errors of what is damaged.
func (e *MissingError) Unwrap() []error { return append([]error{ErrIncomplete}, e.Damage...) }
