package index

import (
	"bytes"
	"fmt"
	"iter"
)

// A MismatchError says that an index is not what its sources say. Where key is
// in one of the two only, the location of the other is zero.
type MismatchError struct {
	Key      []byte
	Has, Due Loc
}

// Error says what the index has, and what it should have.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("index: key %q is at %+v, by the segments at %+v", e.Key, e.Has, e.Due)
}

// Compare reports whether the index is what Merge would build of the sources:
// nil, a *MismatchError for the first key that is not, or what Merge returns.
func (s *Snapshot) Compare(sources ...Source) error {
	next, stop := iter.Pull(s.Leaves(nil, nil, false))
	defer stop()
	w := walker{next: next}
	w.step()
	err := merge(sources, func(due []byte, l Loc) error {
		if w.ended || !bytes.Equal(w.key, due) {
			if !w.ended && bytes.Compare(w.key, due) < 0 {
				return &MismatchError{Key: bytes.Clone(w.key), Has: w.loc}
			}
			return &MismatchError{Key: bytes.Clone(due), Due: l}
		}
		if w.loc != l {
			return &MismatchError{bytes.Clone(due), w.loc, l}
		}
		w.step()
		return nil
	})
	if err == nil && !w.ended {
		err = &MismatchError{Key: bytes.Clone(w.key), Has: w.loc}
	}
	return err
}

// walker goes over all keys of an index in order.
type walker struct {
	next  func() (Run, bool)
	run   Run
	i     int
	key   []byte // the present one
	loc   Loc
	ended bool
}

func (w *walker) step() {
	for w.i >= w.run.Len() {
		run, ok := w.next()
		if !ok {
			w.ended = true
			return
		}
		w.run, w.i = run, 0
	}
	w.key, w.loc = w.run.Key(w.i), w.run.Loc(w.i)
	w.i++
}
