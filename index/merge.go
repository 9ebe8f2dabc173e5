package index

import (
	"bytes"
	"errors"
)

// ErrUnsorted is returned by Merge when a source is not in order.
var ErrUnsorted = errors.New("index: source out of order")

// Entry is one record's share in an index.
type Entry struct {
	Key    []byte
	Seq    uint64 // sequence number of the record; the highest of a key wins
	Delete bool   // the record deletes the key; Loc means nothing
	Loc    Loc
}

// Source is a stream of entries, ordered by ascending key and, within a key,
// descending Seq. Next sets *e to the next entry and returns true, or returns
// false at the end. The bytes of e.Key are the source's and stay valid until
// the next call.
type Source interface {
	Next(e *Entry) (bool, error)
}

// Merge adds to b, for each key in the sources, its location by the entry with
// the highest Seq, unless that entry is a delete. Where two sources have the
// same key and Seq (a record and its copy), the source that comes first in the
// arguments wins. b must hold no key that is not below those of the sources.
//
// It stops at the first error of a source and returns that error as it is, or
// returns ErrUnsorted for a source out of order; b is then of no further use.
func Merge(b *Builder, sources ...Source) error {
	return merge(sources, func(key []byte, l Loc) error {
		b.Add(key, l)
		return nil
	})
}

// merge calls add for each key that is there, in order, with its location.
func merge(sources []Source, add func(key []byte, l Loc) error) error {
	m, err := newMerger(sources)
	if err != nil {
		return err
	}
	var last []byte // the key before, in m.buf
	var seq uint64
	seen := false
	for {
		e := m.top()
		if e == nil {
			return nil
		}
		c := 1
		if seen {
			c = bytes.Compare(e.Key, last)
		}
		switch {
		case c < 0 || c == 0 && e.Seq > seq:
			return ErrUnsorted
		case c > 0:
			last = append(last[:0], e.Key...)
			seq, seen = e.Seq, true
			if e.Delete {
				break
			}
			if err := add(e.Key, e.Loc); err != nil {
				return err
			}
		}
		if err := m.advance(); err != nil {
			return err
		}
	}
}

// stream is a source with its next entry.
type stream struct {
	src    Source
	prefix uint64 // of entry.Key; the highest number at the end
	done   bool
	entry  Entry
}

// next reads the next entry.
func (s *stream) next() error {
	ok, err := s.src.Next(&s.entry)
	if err != nil {
		return err
	}
	if !ok {
		s.done, s.prefix = true, ^uint64(0)
		return nil
	}
	s.prefix = prefixAt(s.entry.Key, 0)
	return nil
}

// merger is a tournament of streams: node i of the tree holds the stream that
// lost the match there, node 0 the winner, so an advance replays one match on
// each level.
type merger struct {
	streams []stream
	nodes   []int
}

func newMerger(sources []Source) (*merger, error) {
	m := &merger{streams: make([]stream, len(sources)), nodes: make([]int, len(sources))}
	for i, src := range sources {
		m.streams[i].src = src
		if err := m.streams[i].next(); err != nil {
			return nil, err
		}
	}
	if len(sources) > 0 {
		m.nodes[0] = m.play(1)
	}
	return m, nil
}

// play plays the matches below node i and returns the winner.
func (m *merger) play(i int) int {
	if i >= len(m.streams) {
		return i - len(m.streams)
	}
	a, b := m.play(2*i), m.play(2*i+1)
	if m.less(b, a) {
		a, b = b, a
	}
	m.nodes[i] = b
	return a
}

// less says whether stream a comes before stream b.
func (m *merger) less(a, b int) bool {
	s, t := &m.streams[a], &m.streams[b]
	if s.prefix != t.prefix {
		return s.prefix < t.prefix
	}
	if s.done || t.done {
		return !s.done || t.done && a < b
	}
	if c := bytes.Compare(s.entry.Key, t.entry.Key); c != 0 {
		return c < 0
	}
	if s.entry.Seq != t.entry.Seq {
		return s.entry.Seq > t.entry.Seq
	}
	return a < b
}

// top returns the first entry of all, or nil at the end.
func (m *merger) top() *Entry {
	if len(m.streams) == 0 || m.streams[m.nodes[0]].done {
		return nil
	}
	return &m.streams[m.nodes[0]].entry
}

// advance reads on in the stream that top came from.
func (m *merger) advance() error {
	w := m.nodes[0]
	if err := m.streams[w].next(); err != nil {
		return err
	}
	for i := (w + len(m.streams)) / 2; i > 0; i /= 2 {
		if m.less(m.nodes[i], w) {
			m.nodes[i], w = w, m.nodes[i]
		}
	}
	m.nodes[0] = w
	return nil
}
