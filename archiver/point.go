package archiver

import (
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/segment"
)

// Point says which moment of a store is meant. The zero value is the newest
// one. At most one of Backup, Time and Seq may be set.
type Point struct {
	// Timeline is the history to go along. Zero: the only one that nothing
	// continues; where an archive holds several, one has to be named.
	Timeline segment.Timeline

	Backup uint64    // the state that a backup pins
	Time   time.Time // after the last commit that is not later
	Seq    uint64    // after the last commit whose sequence numbers are not greater
}

// newest reports whether p asks for as much as there is.
func (p *Point) newest() bool { return p.Time.IsZero() && p.Seq == 0 && p.Backup == 0 }

// check refuses a point that says two things.
func (p *Point) check() error {
	n := 0
	for _, set := range []bool{p.Backup != 0, !p.Time.IsZero(), p.Seq != 0} {
		if set {
			n++
		}
	}
	if n > 1 {
		return errors.New("a point is a backup, a time or a sequence number: give one of them")
	}
	return nil
}

// String names the point as its user did.
func (p *Point) String() string {
	switch {
	case p.Backup != 0:
		return fmt.Sprintf("backup %d", p.Backup)
	case !p.Time.IsZero():
		return p.Time.Format(time.RFC3339Nano)
	case p.Seq != 0:
		return fmt.Sprintf("sequence number %d", p.Seq)
	}
	return "the newest state"
}

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
	Time     time.Time // of that state
}

// Error names the nearest point that there is.
func (e *PointError) Error() string {
	which, hint := "oldest", ""
	if e.Later {
		which, hint = "newest", "; without a point the newest is taken"
	}
	return fmt.Sprintf("%s: store %v: %v is outside of what is archived: the %s point of timeline %v is sequence number %d at %s%s",
		e.Where, e.Store, &e.Point, which, e.Timeline, e.Seq, e.Time.Format(time.RFC3339Nano), hint)
}

// Unwrap returns ErrNoPoint.
func (e *PointError) Unwrap() error { return ErrNoPoint }

// A MissingError names the segments that a point needs and an archive lacks.
type MissingError struct {
	Where   string // the target's URL
	Store   segment.UUID
	Point   Point
	Missing []segment.Ref // in order; where not even their names are known, those on both sides of the gap are named in Between
	Between [2]segment.Ref
}

// Error names the segments and the next step.
func (e *MissingError) Error() string {
	what := fmt.Sprintf("lacks %s", refList(e.Missing))
	if len(e.Missing) == 0 {
		what = fmt.Sprintf("lacks what was written between %v and %v", e.Between[0], e.Between[1])
	}
	return fmt.Sprintf("%s: store %v: for %v the archive %s; ship it from the store (varve archive once, archive repair), or name an earlier point",
		e.Where, e.Store, &e.Point, what)
}

// Unwrap returns ErrIncomplete.
func (e *MissingError) Unwrap() error { return ErrIncomplete }

// refList names a few segments and counts the others.
func refList(refs []segment.Ref) string {
	const most = 5
	s := ""
	for i, r := range refs {
		if i == most {
			return fmt.Sprintf("%s and %d more", s, len(refs)-most)
		}
		if i > 0 {
			s += ", "
		}
		s += r.String()
	}
	return s
}
