package archiver

import (
	"io/fs"
	"time"
)

// standing is what was last found out of whether the store opens. That costs a read of every
// header. So it is found out anew only where something changed or after judgeAgain, and so
// seldom that it takes a twentieth of the time at most.
type standing struct {
	opens func(store fs.FS) error // opens; a test of a folder that is no whole store has another

	state uint64 // of the folder, as source.Listing.State
	next  time.Time
	until time.Time
	err   error
}

const (
	judgeAgain = 5 * time.Minute
	judgeShare = 20
)

// judge returns what is wrong with the store, whose folder has just been listed.
func (s *standing) judge(store fs.FS, state uint64) error {
	now := time.Now()
	if now.Before(s.next) || s.err == nil && state == s.state && now.Before(s.until) {
		return s.err
	}
	s.err = s.opens(store)
	took := time.Since(now)
	s.state, s.next, s.until = state, now.Add(judgeShare*took), now.Add(judgeAgain)
	return s.err
}
