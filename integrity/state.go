package integrity

import (
	"errors"
	"slices"

	"github.com/varve-db/varve/segment"
)

// State is what the files of a store amount to: its newest log, what that log
// says the store is made of, and what is wrong with its end. Finding it changes
// nothing. Close lets go of the files.
type State struct {
	*Inventory
	Newest *Entry
	Src    Source          // of the newest log
	R      *segment.Reader // of its records; it has the header with its sets
	V      *Verdict
	Parts  []*Part     // the segments that have a table, or can have one
	Live   segment.Set // the set: the parts, and what is missing
	Next   *Entry      // the named successor, if it is there without a sound header
	Lost   bool        // the named successor is not there, or nothing of it though it was begun
	Clean  bool        // closed in order, and this very file
	Why    string      // why the newest log cannot be continued
	Short  error       // with AcceptLost: a *segment.CorruptError, what the witness says is missing from the newest log

	// Missing is what is not there of the set, if that is tolerated; see also
	// Inventory.Problems and Part.Err.
	Missing []segment.Ref

	open    func(*Entry) (Source, error)
	lastSeq uint64                             // the greatest of the parts so far
	unknown bool                               // of one of them nothing is known
	table   func(*Part) (keep bool, err error) // see ResolveOptions
}

// ResolveOptions of Inventory.Resolve.
type ResolveOptions struct {
	// Level is how the newest log is judged.
	Level Level

	// Live says that a writer is at work: then the newest log counts only as far
	// as it is known to be on the disk, and what looks torn is what is being written.
	Live bool

	// Tolerate goes on past segments that are damaged or missing. The newest log
	// must be sound all the same. The tables of all parts are read to find out.
	Tolerate bool

	// AcceptLost takes a newest log for what is there of it, though the witness of a close
	// says that there was more: see State.Short.
	AcceptLost bool

	// Open opens the file of an entry that has a header. Nil: as the file system does. If
	// the Source of a sealed file has a method FooterRead(), that is called once its footer
	// was read, or could not be, and before all other reads. With Table, several goroutines
	// call it at once.
	Open func(*Entry) (Source, error)

	// Table, if set, is called with each part once its footer was read, in the order of
	// Parts, and reports whether the part keeps the way to its table. Else of the footer the
	// Summary alone is kept: for a small segment, the rest takes more memory than all else that
	// is kept of it. One goroutine calls it at a time. An error ends Resolve.
	Table func(*Part) (keep bool, err error)
}

// Resolve finds out how the store stands. The error is a *segment.CorruptError, wraps
// ErrMissing, ErrNotStore or segment.ErrVersion, or is one of reading.
func (s *Inventory) Resolve(o ResolveOptions) (st *State, err error) {
	s.tolerate = s.tolerate || o.Tolerate
	st = &State{Inventory: s, Newest: s.NewestLog(), open: o.Open, table: o.Table}
	defer func() {
		if err != nil {
			err = s.unfinished(err, o.Live)
			st.Close()
			st = nil
		}
	}()
	if st.Newest == nil {
		return st, s.noLog()
	}
	if err := st.judge(&o); err != nil {
		return st, err
	}
	if e := Unaccounted(st.Files, st.R.Header, st.edited()); e != nil && !o.Live {
		// Either a torn first write uncovered the header of a freed file, which
		// the end record of the log before it proves, or e does not belong here.
		old := st.Newest
		s.Files = slices.DeleteFunc(s.Files, func(o *Entry) bool { return o == old })
		s.demote(old, "which does not know of "+e.Name+"; one of them does not belong here")
		if old.Sealed {
			st.twoTips(old, e)
			return st, segment.InFile(s.FS.Path(old.Name), old.Err)
		}
		st.Src.Close()
		st.Newest, st.Src, st.Why = s.NewestLog(), nil, ""
		if err := st.judge(&o); err != nil {
			return st, err
		}
	}
	if err := st.judgeBare(o.Live); err != nil {
		return st, err
	}
	if err := st.gather(); err != nil {
		return st, err
	}
	if o.Live && st.V.Successor == (segment.Ref{}) {
		st.V.End = min(st.V.End, max(st.V.Durable, st.R.HeaderSize))
	}
	return st, st.chain()
}

// Close lets go of the files.
func (st *State) Close() error {
	var err error
	if st.Src != nil {
		err = st.Src.Close()
	}
	for _, p := range st.Parts {
		err = errors.Join(err, p.Src.Close())
	}
	return err
}

// Unaccounted returns a log among files, which are in order of Ref.Compare, that was begun
// after those of the set in h, the header of the newest log, and is not the one that this
// replaced: whoever began the newest log did not know of it. Live is the set in the
// end, by the edits in the newest log.
func Unaccounted(files []*Entry, h *segment.Header, live segment.Set) *Entry {
	known := h.Live.Union(h.Retired)
	last := known.MaxID()
	known = known.Union(live).With(h.Ref, h.Replaced)
	for _, e := range slices.Backward(files) {
		if e.Header.Ref.ID <= last {
			return nil // so is all before it
		}
		if e.Header.Kind == segment.Log && !known.Has(e.Header.Ref) {
			return e
		}
	}
	return nil
}

// edited is the set in the header of the newest log, by the edits in it.
func (st *State) edited() segment.Set {
	live := st.R.Header.Live
	for _, e := range st.V.Edits {
		live = e.Apply(live)
	}
	return live
}

// Retired returns what the newest log says has left the set, and may be on the
// disk still.
func (st *State) Retired() segment.Set {
	s := st.R.Header.Retired
	for _, e := range st.V.Edits {
		s = s.With(e.Retire...)
	}
	return s
}
