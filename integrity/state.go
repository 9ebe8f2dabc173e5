package integrity

import (
	"errors"
	"slices"

	"github.com/varve-db/varve/segment"
)

// State is what the files of a store amount to: its newest log, the segments that the log says
// the store is made of, and how the log ends. Close closes the files.
type State struct {
	*Inventory
	Newest *Entry
	Src    Source          // of the newest log
	R      *segment.Reader // of its records; it has the header with its sets
	V      *Verdict
	Parts  []*Part     // the segments that have a table, or can have one
	Live   segment.Set // the set: the parts, and what is missing
	Next   *Entry      // the log that the newest one names as the next, if its file is there without a sound header
	Lost   bool        // that log is not there, or it was begun and nothing of it is there
	Clean  bool        // closed in order, and this is the very file that was closed
	Why    string      // why the newest log cannot be continued
	Short  error       // with AcceptLost: a *segment.CorruptError, what the witness says is missing from the newest log

	// Missing is the segments of the set that are not there; only a tolerant Resolve sets it. See
	// also Inventory.Problems and Part.Err.
	Missing []segment.Ref

	open    func(*Entry) (Source, error)
	lastSeq uint64                             // the greatest of the parts so far
	unknown bool                               // nothing is known of what one of them holds
	table   func(*Part) (keep bool, err error) // see ResolveOptions
}

// ResolveOptions of Inventory.Resolve.
type ResolveOptions struct {
	// Level is how the newest log is judged.
	Level Level

	// Live says that a writer is at work. Then the newest log counts only as far as it is known
	// to be on the disk: what looks torn is being written.
	Live bool

	// Tolerate accepts segments that are damaged or missing, and notes them. The newest log must
	// be sound nevertheless. The tables of all parts are read.
	Tolerate bool

	// AcceptLost accepts a newest log that is shorter than the witness of a close says: see
	// State.Short.
	AcceptLost bool

	// Open opens the file of an entry that has a header. Nil: as the file system does. If
	// the Source of a sealed file has a method FooterRead(), that is called once its footer
	// was read, or could not be, and before all other reads. With Table, several goroutines
	// call it at once.
	Open func(*Entry) (Source, error)

	// Table, if set, is called with each part once its footer was read, in the order of
	// Parts. It reports whether the part keeps access to its table. If not, only the footer's
	// Summary is kept: for a small segment, the rest takes more memory than all else that is kept.
	// One goroutine calls it at a time. An error ends Resolve.
	Table func(*Part) (keep bool, err error)
}

// Resolve finds the State of the store. It changes no file. The error is a *segment.CorruptError, wraps
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
		// Either e does not belong here, or a torn first write uncovered the header of a
		// freed file. The end record of the log before it proves which.
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

// Close closes the files.
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

// Unaccounted returns a log that the newest log does not know of; nil: there is none. Such a log
// has an id above all in the sets of h, the header of the newest log, it is not in live, and the
// newest log did not replace it. Files are in order of Ref.Compare, and live is the set of h after
// the edits in the newest log.
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

// edited is the set in the header of the newest log, after the edits in that log.
func (st *State) edited() segment.Set {
	live := st.R.Header.Live
	for _, e := range st.V.Edits {
		live = e.Apply(live)
	}
	return live
}

// Retired returns the segments that have left the set, by the newest log, and may still be on the
// disk.
func (st *State) Retired() segment.Set {
	s := st.R.Header.Retired
	for _, e := range st.V.Edits {
		s = s.With(e.Retire...)
	}
	return s
}
