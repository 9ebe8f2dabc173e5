package source

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/varve-db/varve/segment"
)

// State is a store as its newest sealed log leaves it.
type State struct {
	Store segment.UUID
	Tip   segment.Ref
	Set   segment.Set // the tip and the live set at its end
}

// ErrOtherSegment is the error for a file that holds another segment than it did.
var ErrOtherSegment = errors.New("the file holds another segment than it did; try again")

// NewestState reads the state that the newest sealed log leaves. The error wraps fs.ErrNotExist
// where there is none.
func (s *Source) NewestState() (*State, error) {
	list, err := s.Segments()
	if err != nil {
		return nil, err
	}
	return s.NewestOf(list)
}

// NewestOf is NewestState for a folder that was just listed.
func (s *Source) NewestOf(list *Listing) (*State, error) {
	replaced, err := s.replaced()
	if err != nil {
		return nil, err
	}
	for _, g := range slices.Backward(list.Segments) {
		if g.Kind != segment.Log || g.Ref == replaced {
			continue
		}
		if n := len(list.Damaged); n > 0 && list.Damaged[n-1].Name > g.Name {
			return nil, list.Damaged[n-1].Err // it may be the newest log
		}
		return readState(s.fsys, g)
	}
	if len(list.Damaged) > 0 {
		return nil, list.Damaged[0].Err
	}
	return nil, fmt.Errorf("the store has no sealed log yet: nothing to back up: %w", fs.ErrNotExist)
}

// replaced returns the log that the newest unsealed log replaces, if any. After an open that
// went back, a sealed log may no longer be one of the store.
func (s *Source) replaced() (segment.Ref, error) {
	logs, err := s.Logs()
	if err != nil {
		return segment.Ref{}, err
	}
	for _, f := range logs {
		h, err := s.header(f.Name)
		if err == nil && h.Kind == segment.Log {
			return h.Replaced, nil
		}
	}
	return segment.Ref{}, nil
}

func readState(fsys fs.FS, g Sealed) (*State, error) {
	f, err := fsys.Open(g.Name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, size, err := readerAt(f)
	if err != nil {
		return nil, err
	}
	r, err := segment.NewReader(src, size)
	if err != nil {
		return nil, segment.InFile(g.Name, err)
	}
	if h := r.Header; h.UUID != g.Store || h.Ref != g.Ref || h.Kind != g.Kind {
		return nil, fmt.Errorf("%s: %w", g.Name, ErrOtherSegment)
	}
	edits, err := Edits(r)
	if err != nil {
		return nil, segment.InFile(g.Name, err)
	}
	set := r.Header.Live.With(r.Header.Ref)
	for _, e := range edits {
		set = e.Apply(set)
	}
	return &State{r.Header.UUID, r.Header.Ref, set}, nil
}

// Edits returns the edits of a log, and what ended the walk over them before the end.
func Edits(r *segment.Reader) (sets []segment.EditSet, err error) {
	for rec, err := range r.Records(segment.Span{}) {
		if err != nil {
			return sets, err
		}
		if rec.Kind == segment.Edit {
			e, err := rec.ParseEdit()
			if err != nil {
				return sets, err
			}
			sets = append(sets, e)
		}
	}
	return sets, nil
}
