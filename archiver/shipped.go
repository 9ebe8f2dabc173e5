package archiver

import (
	"maps"
	"slices"

	"github.com/varve-db/varve/archiver/source"
)

// Shipped returns what the archiver knows of the store and one archive. Where it has not reached
// the archive, Target is empty.
func (a *Archiver) Shipped(targetID string) *source.Shipped {
	s := &source.Shipped{Listing: a.newest()}
	for _, l := range a.shippers {
		l.mu.Lock()
		if l.id.ID == targetID {
			s.Target, s.Refs = targetID, slices.Collect(maps.Keys(l.done))
		}
		l.mu.Unlock()
	}
	return s
}

// newest returns the newest listing.
func (a *Archiver) newest() *source.Listing {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.listing
}
