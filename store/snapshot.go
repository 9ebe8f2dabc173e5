package store

import (
	"iter"
	"sync/atomic"

	"github.com/varve-db/varve/index"
)

// Snapshot is a store as it was at one moment. It may be used by any number of
// goroutines, and must be closed.
type Snapshot struct {
	idx    *index.Snapshot
	segs   []*segFile
	segSet *segSet
	doubts *doubts
	closed atomic.Bool
}

// Snapshot returns the store as it is now. It copies nothing and takes the same short
// time, whatever the store's size; what it refers to stays in memory and on disk until Close.
func (v *view) Snapshot() (*Snapshot, error) {
	v.rw.Lock()
	defer v.rw.Unlock()
	if v.closed {
		return nil, ErrClosed
	}
	return &Snapshot{idx: v.idx.Snapshot(), segs: v.segs, segSet: v.segSet.pin(), doubts: v.doubts.clone()}, nil
}

// Close lets go of the snapshot. No other call may be under way, no scan above all. Calls
// after it say ErrClosed, and Len the number that it was; another Close does nothing.
func (s *Snapshot) Close() {
	if s.closed.Swap(true) {
		return
	}
	s.idx.Close()
	s.segSet.unpin()
	s.segs, s.segSet = nil, nil
}

// Len returns the number of objects.
func (s *Snapshot) Len() int { return s.idx.Len() }

func (s *Snapshot) find(key []byte) (*segFile, index.Loc, error) {
	if s.closed.Load() {
		return nil, index.Loc{}, ErrClosed
	}
	loc, ok := s.idx.Candidate(key)
	if !ok {
		return nil, loc, s.doubts.absent(key)
	}
	f := s.segs[loc.Slot]
	f.pin()
	return f, loc, nil
}

// Get is [DB.Get] at the moment of the snapshot.
func (s *Snapshot) Get(key []byte) ([]byte, error) {
	o, err := getObject(s, key)
	return o.Value, err
}

// GetObject is [DB.GetObject] at the moment of the snapshot.
func (s *Snapshot) GetObject(key []byte) (Object, error) { return getObject(s, key) }

// Has is [DB.Has] at the moment of the snapshot.
func (s *Snapshot) Has(key []byte) (bool, error) { return has(s, key) }

func (s *Snapshot) exact(key []byte) (index.Loc, error) {
	if s.closed.Load() {
		return index.Loc{}, ErrClosed
	}
	if loc, ok := s.idx.Get(key); ok {
		return loc, nil
	}
	return index.Loc{}, s.doubts.absent(key)
}

func (s *Snapshot) unsure(loc index.Loc) bool { return s.segs[loc.Slot].doubts != nil }

// Read is [DB.Read] at the moment of the snapshot.
func (s *Snapshot) Read(key []byte, fn func(Object) error) error { return lend(s, key, fn) }

// Scan is [DB.Scan] at the moment of the snapshot.
func (s *Snapshot) Scan(r Range) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) { s.scan(&r, yield) }
}
