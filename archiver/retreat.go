package archiver

import (
	"time"

	"github.com/varve-db/varve/archiver/target"
)

// retreat is when to try again after failures in a row: of a shipper, or of one segment.
//
//	well ──failure──▶ waiting ──its time has come──▶ trying ──failure──▶ waiting, for longer
//	  ▲                  │ the target answers           │
//	  │                  ▼                              │
//	  │               waiting, no longer than           │
//	  └───success──── its refusals ask for  ◀───success─┘
//
// There are two kinds of failures. A refusal is a failure though the target answered just
// before. Only a success shows that trying again helps, so the wait doubles with each refusal in
// a row. Every other failure is silence. Its wait doubles too, and ends with the first answer of
// any kind. So nothing waits once an outage is over, and a target that answers and refuses is
// not flooded.
//
// The zero value is well. Its owner's lock guards it.
type retreat struct {
	silence  int       // failures in a row since the target last answered
	refusals int       // failures in a row that were refusals
	resume   time.Time // not before
	refused  time.Time // what remains of resume once the target answers
}

// due reports whether the wait is over.
func (r *retreat) due(now time.Time) bool { return !now.Before(r.resume) }

// fail begins a wait. It is for a failure of an attempt that was due: a failure during a wait
// must not make the wait longer, or it would never end.
func (r *retreat) fail(b target.Backoff, now time.Time, refusal bool) {
	r.silence++
	if refusal {
		r.refusals++
	}
	r.resume = now.Add(b.After(max(r.silence, r.refusals)))
	if refusal {
		r.refused = r.resume
	}
}

// answered notes that the target answered, though not to what failed.
func (r *retreat) answered() {
	r.silence = 0
	r.resume = r.refused
}

// succeed ends the wait and its growth.
func (r *retreat) succeed() { *r = retreat{} }
