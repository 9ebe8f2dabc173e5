package archiver

import (
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// AlarmKind says what an alarm is about. The values are part of the JSON output and
// of the metrics.
type AlarmKind string

// The kinds of an Alarm. The first three stop a target for good, until the archiver
// is started again; the others end when it works again.
const (
	AlarmConflict      AlarmKind = "conflict"      // the target holds other content under a segment's name
	AlarmIdentity      AlarmKind = "identity"      // the target is another archive than it was, or one of a newer format
	AlarmUnconditional AlarmKind = "unconditional" // the server overwrites
	AlarmAway          AlarmKind = "away"          // no archive is there: its disk is not mounted, its bucket is gone
	AlarmDenied        AlarmKind = "denied"        // credentials, rights
	AlarmFull          AlarmKind = "full"          // no room
	AlarmFailing       AlarmKind = "failing"       // several failures in a row, of whatever kind
	AlarmGivenUp       AlarmKind = "given_up"      // prune gave up what the store needs
	AlarmDamaged       AlarmKind = "damaged"       // of the store: segments are set aside
	AlarmSeal          AlarmKind = "seal"          // of the store: the log cannot be sealed
	AlarmStore         AlarmKind = "store"         // of the store: its folder or the receipts cannot be read
	AlarmBroken        AlarmKind = "broken"        // of the store: it does not open for writing
	AlarmState         AlarmKind = "state"         // of the archiver: its state folder cannot be written
)

// TargetAlarms returns the kinds that are about a target.
func TargetAlarms() []AlarmKind {
	return []AlarmKind{AlarmConflict, AlarmIdentity, AlarmUnconditional, AlarmAway, AlarmDenied, AlarmFull, AlarmFailing, AlarmGivenUp}
}

// StoreAlarms returns the kinds that are about the store, or the archiver itself.
func StoreAlarms() []AlarmKind {
	return []AlarmKind{AlarmDamaged, AlarmSeal, AlarmStore, AlarmBroken, AlarmState}
}

// final reports whether time does not heal it: a person has to look.
func (k AlarmKind) final() bool {
	return k == AlarmConflict || k == AlarmIdentity || k == AlarmUnconditional
}

// Alarm is something that a person should look at.
type Alarm struct {
	Kind    AlarmKind `json:"kind"`
	Message string    `json:"message"`
	Since   time.Time `json:"since"`
}

// failingAfter is how many failures in a row are an alarm by themselves.
const failingAfter = 3

// alarmKind sorts an error of a target; the result is empty for one that may pass.
func alarmKind(err error) AlarmKind {
	if _, ok := errors.AsType[*receiptsError](err); ok {
		return AlarmFailing
	}
	for _, c := range []struct {
		err  error
		kind AlarmKind
	}{
		{target.ErrConflict, AlarmConflict},
		{target.ErrOtherArchive, AlarmIdentity},
		{segment.ErrVersion, AlarmIdentity},
		{target.ErrUnconditional, AlarmUnconditional},
		{target.ErrNoIdentity, AlarmAway},
		{target.ErrDenied, AlarmDenied},
		{target.ErrFull, AlarmFull},
		{target.ErrNotExist, AlarmAway}, // no folder or bucket to put something in
	} {
		if errors.Is(err, c.err) {
			return c.kind
		}
	}
	return ""
}

// definite reports whether to try again at once would not help.
func definite(err error) bool {
	k := alarmKind(err)
	return k.final() || k == AlarmDenied || k == AlarmAway
}

// AwayError is the error for a target where no archive is. It wraps target.ErrNoIdentity.
type AwayError struct {
	URL string
	Was string // the ID of the archive that was shipped to there; empty: never one
	Err error
}

// Error names the archive that was there, if one was, and what to do.
func (e *AwayError) Error() string {
	if e.Was != "" {
		return fmt.Sprintf("%v; it was archive %s; what waits is shipped when that is back", e.Err, e.Was)
	}
	return fmt.Sprintf("%v; mount or bring back what should be there; only a new archive has to be made first", e.Err)
}

// Unwrap returns what went wrong.
func (e *AwayError) Unwrap() error { return e.Err }
