package store

import (
	"iter"

	"github.com/varve-db/varve/segment"
)

// Range says which objects a scan visits, and in which order. The zero value is
// all of them, by ascending key. With KeysOnly, Seq is zero, too.
type Range = segment.Range

// Scan iterates over the objects of a range as they are when the iteration
// begins; what is written meanwhile does not show. An Object is lent: its slices are
// good for one step. A long scan reads ahead, up to a MiB, with a second
// goroutine, which ends with it. An object that cannot be read is yielded as an error with
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
