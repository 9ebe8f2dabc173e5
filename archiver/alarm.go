package archiver

import (
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// Alarm is something that a person should look at.
type Alarm struct {
	Kind    alarm.Kind `json:"kind"`
	Message string     `json:"message"`
	Since   time.Time  `json:"since"`
}

// failingAfter is how many failures in a row are an alarm by themselves.
const failingAfter = 3

// alarmKind returns the kind of alarm for an error of a target; empty if the error may pass by
// itself.
func alarmKind(err error) alarm.Kind {
	if _, ok := errors.AsType[*receiptsError](err); ok {
		return alarm.Failing
	}
	for _, c := range []struct {
		err  error
		kind alarm.Kind
	}{
		{target.ErrConflict, alarm.Conflict},
		{target.ErrOtherArchive, alarm.Identity},
		{segment.ErrVersion, alarm.Identity},
		{target.ErrUnconditional, alarm.Unconditional},
		{target.ErrNoIdentity, alarm.Away},
		{target.ErrDenied, alarm.Denied},
		{target.ErrFull, alarm.Full},
		{target.ErrNotExist, alarm.Away}, // no folder or bucket to put something in
	} {
		if errors.Is(err, c.err) {
			return c.kind
		}
	}
	return ""
}

// definite reports whether trying again at once is useless.
func definite(err error) bool {
	k := alarmKind(err)
	return k.Final() || k == alarm.Denied || k == alarm.Away
}

// AwayError says that no archive is at a target. It wraps target.ErrNoIdentity.
type AwayError struct {
	URL string
	Was string // ID of the archive that was there; empty: there was none
	Err error
}

// Error names the archive that was there, if one was, and what to do.
func (e *AwayError) Error() string {
	if e.Was != "" {
		return fmt.Sprintf("%v; it was archive %s; what waits is shipped when that archive is back", e.Err, e.Was)
	}
	return fmt.Sprintf("%v; mount the disk or bring back the bucket of the archive; a new archive must first be made", e.Err)
}

// Unwrap returns what went wrong.
func (e *AwayError) Unwrap() error { return e.Err }
