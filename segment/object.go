package segment

import (
	"errors"
	"fmt"
)

// ErrNotFound is returned for a key that is not there, by whatever looks it up.
var ErrNotFound = errors.New("not found")

// Content says what a value is.
type Content uint8

// A Raw value is any bytes; a Msgpack value is one msgpack object, and the
// command line prints it as JSON. The store itself treats them alike.
const (
	Raw Content = iota
	Msgpack
)

// Object is a value with its key and what is known of it: what a Put record holds, in the
// terms of its user. The call that returns an Object says who owns its slices.
type Object struct {
	Key     []byte
	Value   []byte
	Meta    []byte // small msgpack, at most MaxMeta bytes; nil: none
	Content Content
	Seq     uint64 // its sequence number, given by the store
}

// Record returns the record that puts o, without its sequence number; the slices are
// o's. The error is that Content is unknown.
func (o *Object) Record() (Record, error) {
	r := Record{Kind: Put, Key: o.Key, Value: o.Value, Meta: o.Meta}
	switch o.Content {
	case Raw:
	case Msgpack:
		r.Flags = FlagMsgpack
	default:
		return r, fmt.Errorf("content kind %d: want Raw or Msgpack", o.Content)
	}
	return r, nil
}

// Object returns the object that a record puts; the slices are r's.
func (r *Record) Object() Object {
	o := Object{Key: r.Key, Value: r.Value, Seq: r.Seq}
	if len(r.Meta) > 0 {
		o.Meta = r.Meta
	}
	if r.Flags&FlagMsgpack != 0 {
		o.Content = Msgpack
	}
	return o
}

// Range says which objects a scan visits, and in which order. The zero value is
// all of them, by ascending key.
type Range struct {
	From    []byte // the least key; nil: no bound
	To      []byte // the key to stop before; nil: no bound
	Prefix  []byte // only keys that begin so; bounds From and To further
	Reverse bool   // by descending key
	Limit   int    // at most so many objects; zero: no limit

	// KeysOnly visits keys without reading the objects: Value, Meta and Content are
	// zero, and Seq is where it takes no reading to know it.
	KeysOnly bool
}

// Bounds returns the range as one pair of bounds, lo ≤ key < hi; nil: no bound.
func (r *Range) Bounds() (lo, hi []byte) {
	lo, hi = r.From, r.To
	if len(r.Prefix) == 0 {
		return lo, hi
	}
	if string(lo) < string(r.Prefix) {
		lo = r.Prefix
	}
	if end := PrefixEnd(r.Prefix); end != nil && (hi == nil || string(end) < string(hi)) {
		hi = end
	}
	return lo, hi
}

// PrefixEnd returns the least key above all that begin with prefix; nil: there is none.
func PrefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}
