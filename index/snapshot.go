package index

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Snapshot is an index as it was at one moment. It may be read by any number
// of goroutines, also while the index is written. Its methods must not be
// called after Close.
type Snapshot struct {
	dir    directory
	keys   keys
	n      int
	epoch  uint64
	snaps  *snapshots
	closed atomic.Bool
}

// snapshots knows which snapshots are open.
type snapshots struct {
	epoch    uint64        // of what is made now, newer than every snapshot; the writer's
	newest   atomic.Uint64 // epoch of the newest open snapshot, or 0
	retained atomic.Int64  // bytes copied away from open snapshots

	mu   sync.Mutex
	open []uint64 // ascending; guarded by mu
}

// Snapshot returns the index as it is now, in constant time. The caller holds
// the writer's lock. What the snapshot refers to stays in memory until Close.
func (x *Index) Snapshot() *Snapshot {
	s := &Snapshot{
		dir:   x.dir.clone(),
		keys:  x.arena.share(),
		n:     x.n,
		epoch: x.snaps.epoch,
		snaps: &x.snaps,
	}
	x.snaps.add(x.snaps.epoch)
	x.snaps.epoch++
	return s
}

// Get returns the location that a key had. It does not allocate, and keeps no
// hold on key.
func (s *Snapshot) Get(key []byte) (Loc, bool) {
	return get(&s.dir, s.keys, key)
}

// Candidate is [Index.Candidate] at the moment of the snapshot.
func (s *Snapshot) Candidate(key []byte) (Loc, bool) {
	return candidate(&s.dir, s.keys, key)
}

// Len returns the number of keys there were.
func (s *Snapshot) Len() int { return s.n }

// Close lets go of what only the snapshot refers to. It needs no lock, may run
// beside a writer, and may be called again.
func (s *Snapshot) Close() {
	if s.closed.Swap(true) {
		return
	}
	s.dir, s.keys = directory{}, nil
	s.snaps.remove(s.epoch)
}

func (s *snapshots) add(epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = append(s.open, epoch)
	s.newest.Store(epoch)
}

func (s *snapshots) remove(epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, _ := slices.BinarySearch(s.open, epoch)
	s.open = slices.Delete(s.open, i, i+1)
	if len(s.open) == 0 {
		s.retained.Store(0)
		s.newest.Store(0)
		return
	}
	s.newest.Store(s.open[len(s.open)-1])
}

// see says whether an open snapshot may see what was made in that epoch.
func (s *snapshots) see(epoch uint64) bool { return epoch <= s.newest.Load() }

// retain counts bytes that the index let go of while a snapshot refers to them.
func (s *snapshots) retain(n int64) { s.retained.Add(n) }
