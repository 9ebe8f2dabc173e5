// Package alarm names the kinds of the archiver's alarms: what an archiver.Alarm is about.
//
// It only names them. The archiver decides when there is one.
//
// The values are part of the JSON output and of the metrics, so none is renamed.
package alarm

// Kind says what an alarm is about.
type Kind string

// The kinds that are about a target. The first three stop it for good, until the archiver
// is started again; the others end when it works again.
const (
	Conflict      Kind = "conflict"      // it holds other content under a segment's name
	Identity      Kind = "identity"      // it is another archive than it was, or one of a newer format
	Unconditional Kind = "unconditional" // the server overwrites
	Away          Kind = "away"          // no archive is there: its disk is not mounted, its bucket is gone
	Denied        Kind = "denied"        // credentials, rights
	Full          Kind = "full"          // no room
	Failing       Kind = "failing"       // several failures in a row, of any kind
	GivenUp       Kind = "given_up"      // prune gave up what the store needs
)

// The kinds that are about the store, or the archiver itself.
const (
	Damaged Kind = "damaged" // segments are set aside
	Seal    Kind = "seal"    // the log cannot be sealed
	Store   Kind = "store"   // the store's folder or the receipts cannot be read
	Broken  Kind = "broken"  // the store does not open for writing
	State   Kind = "state"   // the archiver's state folder cannot be written
)

// OfTarget returns the kinds that are about a target.
func OfTarget() []Kind {
	return []Kind{Conflict, Identity, Unconditional, Away, Denied, Full, Failing, GivenUp}
}

// OfStore returns the kinds that are about the store, or the archiver itself.
func OfStore() []Kind { return []Kind{Damaged, Seal, Store, Broken, State} }

// Final reports whether time does not end the alarm: a person has to look, and start the
// archiver again.
func (k Kind) Final() bool { return k == Conflict || k == Identity || k == Unconditional }
