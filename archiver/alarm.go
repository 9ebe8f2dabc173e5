package archiver

import (
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/segment"
)

// AlarmKind says what an alarm is about. The values are part of the JSON output and
// of the metrics.
type AlarmKind string

// The kinds of an Alarm. The first three stop a target for good, until the archiver
// is started again; the others end when it works again. So does AlarmIdentity for a target
// that Run has not yet seen as an archive.
const (
	AlarmConflict      AlarmKind = "conflict"      // the target holds other content under a segment's name
	AlarmIdentity      AlarmKind = "identity"      // the target is not the archive that it was, or none
	AlarmUnconditional AlarmKind = "unconditional" // the server overwrites
	AlarmDenied        AlarmKind = "denied"        // credentials, rights
	AlarmFull          AlarmKind = "full"          // no room
	AlarmFailing       AlarmKind = "failing"       // several failures in a row, of whatever kind
	AlarmDamaged       AlarmKind = "damaged"       // of the store: segments are set aside
	AlarmSeal          AlarmKind = "seal"          // of the store: the log cannot be sealed
	AlarmStore         AlarmKind = "store"         // of the store: its folder or the receipts cannot be read
)

// targetAlarms is how many of the kinds are about a target; they come first.
const targetAlarms = 6

// alarmKinds are all of them.
func alarmKinds() []AlarmKind {
	return []AlarmKind{AlarmConflict, AlarmIdentity, AlarmUnconditional, AlarmDenied, AlarmFull, AlarmFailing,
		AlarmDamaged, AlarmSeal, AlarmStore}
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
	for _, c := range []struct {
		err  error
		kind AlarmKind
	}{
		{ErrConflict, AlarmConflict},
		{ErrOtherArchive, AlarmIdentity},
		{ErrNoIdentity, AlarmIdentity},
		{segment.ErrVersion, AlarmIdentity},
		{ErrUnconditional, AlarmUnconditional},
		{ErrDenied, AlarmDenied},
		{ErrFull, AlarmFull},
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
	return k.final() || k == AlarmDenied || errors.Is(err, ErrNotExist)
}

// ErrOtherArchive is wrapped by the error for a target that was one archive and is
// another now: a disk was swapped, a bucket made anew.
var ErrOtherArchive = errors.New("the target is another archive than it was")

// otherArchive is the error for a target whose identity changed.
func otherArchive(url string, was, is Identity) error {
	return fmt.Errorf("%s: %w: it was %s, made %v, and is %s, made %v; bring back the first, or start the archiver again to ship all to the second",
		url, ErrOtherArchive, was.ID, was.Made, is.ID, is.Made)
}
