package archiver

import (
	"io/fs"
	"time"
)

// standing is whether the store opens, as last found. To find it costs a read of every header.
// So that is done only after a change or after judgeAgain, and takes at most a twentieth of the
// time.
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
