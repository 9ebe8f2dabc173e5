package archiver

import (
	"time"

	"github.com/varve-db/varve/segment"
)

// Sent is a segment that was sent to a target, and has its receipt.
type Sent struct {
	URL     string // of the target
	Segment segment.Ref
	Bytes   int64
	Took    time.Duration // to send it and write the receipt
}

// OnSent has fn called after each segment that is sent from now on. It is called from several
// goroutines, and must return at once.
func (a *Archiver) OnSent(fn func(Sent)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.onSent = append(a.onSent, fn)
}

// URLs returns the URLs of all targets.
func (a *Archiver) URLs() []string { return a.opt.urls() }

// tell calls the functions of OnSent.
func (a *Archiver) tell(s Sent) {
	a.mu.Lock()
	told := a.onSent
	a.mu.Unlock()
	for _, fn := range told {
		fn(s)
	}
}
