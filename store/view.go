package store

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/varve-db/varve/index"
	"github.com/varve-db/varve/segment"
)

// view is what a store looks like to its readers: the index and the segments
// that it refers to.
type view struct {
	rw     sync.RWMutex // guards what follows; the last in the lock order
	idx    *index.Index
	segs   []*segFile // by slot; appended to, never changed otherwise, so that snapshots can keep it
	segSet *segSet    // has segs; nil without any
	doubts *doubts    // of a store with damaged segments
	closed bool
}

// segSet keeps segments readable for a view and its snapshots, each of which pins it and so
// all of them at once: a pin for each segment would make a snapshot cost by the segments
// of the store.
type segSet struct {
	pins  atomic.Int64
	files []*segFile // with a pin each; guarded by the view's rw as long as the view holds it
}

// pin keeps all readable; the caller holds the lock under which it found s.
func (s *segSet) pin() *segSet {
	if s != nil {
		s.pins.Add(1)
	}
	return s
}

// unpin undoes one pin.
func (s *segSet) unpin() {
	if s == nil || s.pins.Add(-1) > 0 {
		return
	}
	for _, f := range s.files {
		f.unpin()
	}
}

// add gives f the next slot. The caller holds rw, or is alone.
func (v *view) add(f *segFile) {
	if v.segSet == nil {
		v.segSet = (&segSet{}).pin()
	}
	f.slot = uint32(len(v.segs))
	f.pin()
	v.segs = append(v.segs, f)
	v.segSet.files = v.segs
}

// close lets go of the segments and makes every later read say ErrClosed. It
// reports whether the view was open.
func (v *view) close() bool {
	v.rw.Lock()
	defer v.rw.Unlock()
	if v.closed {
		return false
	}
	v.closed = true
	v.segSet.unpin()
	v.idx, v.segs, v.segSet, v.doubts = nil, nil, nil, nil
	return true
}

// find returns where the record of key is if key is there at all, with its file
// pinned: who reads it sees whether it is that of key.
func (v *view) find(key []byte) (*segFile, index.Loc, error) {
	v.rw.RLock()
	if v.closed {
		v.rw.RUnlock()
		return nil, index.Loc{}, ErrClosed
	}
	loc, ok := v.idx.Candidate(key)
	if !ok {
		err := v.doubts.absent(key)
		v.rw.RUnlock()
		return nil, loc, err
	}
	f := v.segs[loc.Slot]
	f.pin()
	v.rw.RUnlock()
	return f, loc, nil
}

// finder is what finds a key: a view or a snapshot.
type finder interface {
	find(key []byte) (*segFile, index.Loc, error)
	exact(key []byte) (index.Loc, error)
	unsure(loc index.Loc) bool
}

// exact returns where the record of key is, for certain.
func (v *view) exact(key []byte) (index.Loc, error) {
	v.rw.RLock()
	defer v.rw.RUnlock()
	if v.closed {
		return index.Loc{}, ErrClosed
	}
	if loc, ok := v.idx.Get(key); ok {
		return loc, nil
	}
	return index.Loc{}, v.doubts.absent(key)
}

// unsure reports whether only the record itself can tell that the object at loc is
// the newest under its key.
func (v *view) unsure(loc index.Loc) bool {
	v.rw.RLock()
	defer v.rw.RUnlock()
	return !v.closed && v.segs[loc.Slot].doubts != nil
}

// load reads the record of key into buf, which it returns.
func load(v finder, buf, key []byte, rec *segment.Record) ([]byte, error) {
	for {
		f, loc, err := v.find(key)
		if err != nil {
			return buf, err
		}
		buf, err = f.record(buf, loc.Offset, loc.Size, rec)
		f.unpin()
		if err == nil && bytes.Equal(rec.Key, key) {
			return buf, nil
		}
		// Another key's record, or none that can be read: only the index knows
		// whether it should have been this key's.
		if now, gone := v.exact(key); gone != nil {
			return buf, gone
		} else if now != loc {
			continue // written since
		}
		if err == nil {
			err = &CorruptError{File: f.path, Segment: f.ref, Offset: loc.Offset, Reason: "record of another key"}
		}
		if c, ok := segment.AsCorrupt(err); ok && c.Keys == nil {
			c.Keys = [][]byte{bytes.Clone(key)}
		}
		return buf, fmt.Errorf("get %q: %w", key, err)
	}
}

// Get returns the value of key, in memory of the caller's. A key that is not
// there is ErrNotFound; a damaged record is a *CorruptError.
func (v *view) Get(key []byte) ([]byte, error) {
	var rec segment.Record
	if _, err := load(v, nil, key, &rec); err != nil {
		return nil, err
	}
	return rec.Value, nil
}

// GetObject returns the object under key, in memory of the caller's. Errors
// are those of Get.
func (v *view) GetObject(key []byte) (Object, error) { return getObject(v, key) }

func getObject(v finder, key []byte) (o Object, err error) {
	var rec segment.Record
	if _, err := load(v, nil, key, &rec); err != nil {
		return o, err
	}
	return rec.Object(), nil
}

// Has reports whether key is there. It reads no record.
func (v *view) Has(key []byte) (bool, error) { return has(v, key) }

func has(v finder, key []byte) (bool, error) {
	loc, err := v.exact(key)
	if err == nil && v.unsure(loc) {
		var rec segment.Record
		_, err = load(v, nil, key, &rec)
	}
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Read lends the object under key to fn: its slices are good until fn returns.
// It spares the memory that Get hands out. Errors are those of Get and fn's.
func (v *view) Read(key []byte, fn func(Object) error) error { return lend(v, key, fn) }

// buffers holds record-sized buffers for what is lent.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func lend(v finder, key []byte, fn func(Object) error) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	var rec segment.Record
	var err error
	if *buf, err = load(v, *buf, key, &rec); err != nil {
		return err
	}
	return fn(rec.Object())
}

// empty makes v the view of a store without objects, whose log is f.
func (v *view) empty(f *segFile) error {
	v.idx = index.New()
	v.add(f)
	return nil
}
