package store

import (
	"errors"
	"iter"

	"github.com/varve-db/varve/index"
	"github.com/varve-db/varve/segment"
)

// Range says which objects a scan visits, and in which order. The zero value is
// all of them, by ascending key.
type Range struct {
	From    []byte // the least key; nil: no bound
	To      []byte // the key to stop before; nil: no bound
	Prefix  []byte // only keys that begin so; bounds From and To further
	Reverse bool   // by descending key
	Limit   int    // at most so many objects; zero: no limit

	// KeysOnly visits keys without reading the objects: Value, Meta, Content
	// and Seq are zero.
	KeysOnly bool
}

// bounds returns the range as one pair of bounds.
func (r *Range) bounds() (lo, hi []byte) {
	lo, hi = r.From, r.To
	if len(r.Prefix) == 0 {
		return lo, hi
	}
	if string(lo) < string(r.Prefix) {
		lo = r.Prefix
	}
	if end := after(r.Prefix); end != nil && (hi == nil || string(end) < string(hi)) {
		hi = end
	}
	return lo, hi
}

// after returns the least key above all that begin with prefix, or nil.
func after(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}

// Scan iterates over the objects of a range as they are when the iteration
// begins; what is written meanwhile does not show. An Object is lent: its slices are
// good for one step. An object that cannot be read is yielded as an error with
// its key in the Object, and the scan goes on; ErrClosed ends it.
func (v *view) Scan(r Range) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		s, err := v.Snapshot()
		if err != nil {
			yield(Object{}, err)
			return
		}
		defer s.Close()
		s.scan(&r, yield)
	}
}

// Snapshot is a store as it was at one moment. It may be used by any number of
// goroutines, and must be closed.
type Snapshot struct {
	idx  *index.Snapshot
	segs []*segFile
}

// Snapshot returns the store as it is now. It copies nothing, whatever the
// store's size; what it refers to stays in memory and on disk until Close.
func (v *view) Snapshot() (*Snapshot, error) {
	v.rw.Lock()
	defer v.rw.Unlock()
	if v.closed {
		return nil, ErrClosed
	}
	for _, f := range v.segs {
		f.pin()
	}
	return &Snapshot{idx: v.idx.Snapshot(), segs: v.segs}, nil
}

// Close lets go of the snapshot. Its other methods must not be called any more.
func (s *Snapshot) Close() {
	s.idx.Close()
	for _, f := range s.segs {
		f.unpin()
	}
	s.segs = nil
}

// Len returns the number of objects.
func (s *Snapshot) Len() int { return s.idx.Len() }

func (s *Snapshot) find(key []byte) (*segFile, index.Loc, error) {
	loc, ok := s.idx.Candidate(key)
	if !ok {
		return nil, loc, ErrNotFound
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

// Has reports whether key was there. The error is always nil.
func (s *Snapshot) Has(key []byte) (bool, error) {
	_, err := s.exact(key)
	return err == nil, nil
}

func (s *Snapshot) exact(key []byte) (index.Loc, error) {
	if loc, ok := s.idx.Get(key); ok {
		return loc, nil
	}
	return index.Loc{}, ErrNotFound
}

// Read is [DB.Read] at the moment of the snapshot.
func (s *Snapshot) Read(key []byte, fn func(Object) error) error { return lend(s, key, fn) }

// Scan is [DB.Scan] at the moment of the snapshot.
func (s *Snapshot) Scan(r Range) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) { s.scan(&r, yield) }
}

func (s *Snapshot) scan(r *Range, yield func(Object, error) bool) {
	lo, hi := r.bounds()
	sc := scan{s: s, left: r.Limit, yield: yield}
	if r.Limit <= 0 {
		sc.left = int(^uint(0) >> 1)
	}
	step := sc.run
	if r.KeysOnly {
		step = sc.keys
	}
	s.idx.Leaves(lo, hi, r.Reverse)(step)
}

// scanWindow is how many bytes of records a scan reads ahead: enough that
// their cache misses overlap, little enough that they are still in the cache
// when they are looked at.
const scanWindow = 128 << 10

// scan is the state of one scan.
type scan struct {
	s     *Snapshot
	left  int
	yield func(Object, error) bool
	buf   []byte
}

// keys visits a run without its records.
func (sc *scan) keys(r index.Run) bool {
	for i := range r.Len() {
		if sc.left--; !sc.yield(Object{Key: r.Key(i)}, nil) || sc.left == 0 {
			return false
		}
	}
	return true
}

// run visits a run, as many records at a time as fit the window: all are copied
// first, then checked and lent.
func (sc *scan) run(r index.Run) bool {
	for i := 0; i < r.Len(); {
		j, size := i, int64(0)
		for j < r.Len() && j-i < sc.left {
			n := r.Loc(j).Size
			if j > i && size+n > scanWindow {
				break
			}
			size += n
			j++
		}
		if int64(cap(sc.buf)) < size {
			sc.buf = make([]byte, max(size, 16<<10))
		}
		if !sc.lend(&r, i, j, size) {
			return false
		}
		i = j
	}
	return true
}

// lend visits the items [i, j) of a run, whose records have size bytes.
func (sc *scan) lend(r *index.Run, i, j int, size int64) bool {
	whole := sc.copyAll(r, i, j)
	at := int64(0)
	for ; i < j; i++ {
		loc := r.Loc(i)
		b := sc.buf[at : at+loc.Size : at+loc.Size]
		at += loc.Size
		f := sc.s.segs[loc.Slot]
		var rec segment.Record
		var err error
		if !whole {
			err = f.read(b, loc.Offset)
		}
		if err == nil {
			err = f.parse(b, loc.Offset, &rec)
		}
		if err == nil && string(rec.Key) != string(r.Key(i)) {
			err = &CorruptError{File: f.path, Segment: f.ref, Offset: loc.Offset, Reason: "record of another key"}
		}
		o := Object{Key: r.Key(i)}
		if err == nil {
			o.set(&rec)
		} else if c, ok := errors.AsType[*CorruptError](err); ok && c.Keys == nil {
			c.Keys = [][]byte{append([]byte(nil), o.Key...)}
		}
		if sc.left--; !sc.yield(o, err) || sc.left == 0 {
			return false
		}
	}
	return true
}

// copyAll copies the records of the items [i, j) into buf, and reports whether
// it could: otherwise they are read one by one, to see which fails.
func (sc *scan) copyAll(r *index.Run, i, j int) bool {
	at := int64(0)
	return guarded(func() bool {
		for ; i < j; i++ {
			loc := r.Loc(i)
			f := sc.s.segs[loc.Slot]
			s := f.src.Load()
			end := loc.Offset + loc.Size
			if s == nil || end > int64(len(s.data)) || end > f.size.Load() {
				return false
			}
			copy(sc.buf[at:at+loc.Size], s.data[loc.Offset:end])
			at += loc.Size
		}
		return true
	})
}
