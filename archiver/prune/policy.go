package prune

import (
	"errors"
	"slices"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/segment"
)

// Policy says what a prune gives up. The zero Policy gives up no backup and no
// tip, and keeps no points but the newest ones and those of backups.
type Policy struct {
	// Keep is how many of the newest backups stay; KeepWithin is the age up to which all stay.
	// Where neither is set, every backup stays. The newest one always does.
	Keep       int
	KeepWithin time.Duration

	// Window is how far back every point in time can be restored, counted from the
	// time of the prune; zero: no point in time is kept for its own sake.
	Window time.Duration

	// DropTips are timelines whose newest state is given up, by later prunes too, until the
	// timeline goes on. Their points in the window stay.
	DropTips []segment.Timeline
}

// check returns an error for a policy with a negative number.
func (p *Policy) check() error {
	if p.Keep < 0 || p.KeepWithin < 0 || p.Window < 0 {
		return errors.New("a prune keeps no negative number of backups and no negative time")
	}
	return nil
}

// surplus returns the backups that the policy gives up; backups are in order of id.
func (p *Policy) surplus(backups []*archive.Backup, now time.Time) []*archive.Backup {
	if p.Keep == 0 && p.KeepWithin == 0 || len(backups) == 0 {
		return nil
	}
	old := slices.Clone(backups[:len(backups)-max(1, min(p.Keep, len(backups)))])
	return slices.DeleteFunc(old, func(b *archive.Backup) bool {
		return p.KeepWithin > 0 && !b.Time.Before(now.Add(-p.KeepWithin))
	})
}
