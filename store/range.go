package store

import "iter"

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
