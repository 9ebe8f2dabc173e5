package integrity

import (
	"errors"
	"fmt"
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
	untold  bool                               // of one of them nothing is known
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
	// was read, or could not be, and before all other reads.
	Open func(*Entry) (Source, error)

	// Table, if set, is called with each part once its footer was read, in the order of
	// Parts, and reports whether the part keeps the way to its table. Else of the footer the
	// Summary alone is kept: for a small segment, the rest takes more memory than all else that
	// is kept of it. An error ends Resolve.
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

// unfinished puts what explains it in the place of an error of a folder that lacks segments.
func (s *Inventory) unfinished(err error, live bool) error {
	switch {
	case !s.Restoring:
		return err
	case s.None():
		return &UnfinishedError{Dir: s.FS.Path("."), Live: live}
	case errors.Is(err, ErrMissing):
		return &UnfinishedError{s.FS.Path("."), live, err}
	}
	return err
}

// Unfinished is the error where a restore has not finished, and no segment is there; else nil.
func (s *Inventory) Unfinished() error {
	if s.None() {
		return s.unfinished(nil, false)
	}
	return nil
}

// NoLogError is the error for a folder without a newest log; live says that a process has the
// store open for writing.
func (s *Inventory) NoLogError(live bool) error { return s.unfinished(s.noLog(), live) }

// noLog is the error for a folder without a newest log.
func (s *Inventory) noLog() error {
	if len(s.Bare) > 0 {
		e := s.Bare[len(s.Bare)-1]
		return segment.InFile(s.FS.Path(e.Name), e.Err)
	}
	what := "log"
	if s.None() {
		what = "segment"
	}
	if w := s.Witness; w != nil && (s.UUID == segment.UUID{} || s.UUID == w.UUID) {
		return fmt.Errorf("%s: no %s is there, and %s in the log %v: %w", s.FS.Path("."), what, Witnessed(w), w.Ref, ErrMissing)
	}
	if len(s.Files)+len(s.Empty) > 0 {
		return fmt.Errorf("%s: no log among the segments: %w", s.FS.Path("."), ErrMissing)
	}
	return fmt.Errorf("%s: %w", s.FS.Path("."), ErrNotStore)
}

// judge reads the newest log.
func (st *State) judge(o *ResolveOptions) error {
	e := st.Newest
	path := st.FS.Path(e.Name)
	src, err := st.openFile(e)
	if err != nil {
		return err
	}
	st.Src = src
	end := e.Size
	if e.Sealed {
		f, err := st.footerOf(e, src)
		if err != nil {
			return err
		}
		end = f.RecordsEnd
	}
	if st.R, err = segment.NewReader(src, end); err != nil {
		return segment.InFile(path, err)
	}
	st.V, err = JudgeNewest(st.Witness, st.R, o.Level)
	if c, ok := segment.AsCorrupt(err); ok && c.Closed && o.AcceptLost {
		st.Short = segment.InFile(path, err)
		st.V, err = Judge(nil, st.R, o.Level)
	}
	if err != nil {
		return segment.InFile(path, err)
	}
	if e.Sealed && st.V.Successor == (segment.Ref{}) {
		return &segment.CorruptError{File: path, Segment: e.Header.Ref, Offset: st.V.End, Reason: "a sealed log without an end record"}
	}
	return st.judgeClose()
}

// twoTips says of old, a sealed log that does not know of the log e, what that is: no torn
// write, and no damage of its header, but the end of another history.
func (st *State) twoTips(old, e *Entry) {
	c, ok := segment.AsCorrupt(old.Err)
	if a, b := st.R.Header.Ref, e.Header.Ref; ok && a.Timeline != b.Timeline {
		c.Reason = fmt.Sprintf("the folder holds two histories of the store: this log and %s end timelines %v and %v, and neither knows of the other", e.Name, a.Timeline, b.Timeline)
		c.Next = "open them one at a time: restore the timeline that is wanted to a folder of its own, or move the segments of the other out of this one"
	}
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

// judgeClose finds out whether the newest log can be continued.
func (st *State) judgeClose() error {
	switch {
	case st.V.Successor != (segment.Ref{}):
		return nil
	case st.V.Torn != "":
		st.Why = "the newest log has a torn tail"
	case !st.V.Closed:
		st.Why = "the store was not closed"
	default:
		var err error
		if st.Short != nil {
			st.Why = "the newest log ends below its last close"
		} else if st.Why, err = st.copied(); err != nil {
			return err
		}
		st.Clean = st.Why == ""
		if !st.Clean {
			// It will be written anew, so damage anywhere in it must be known first.
			st.V, err = Judge(nil, st.R, Log)
			return segment.InFile(st.FS.Path(st.Newest.Name), err)
		}
	}
	return nil
}

// copied is CopyOf for the newest log, with the witness that the survey read.
func (st *State) copied() (why string, err error) {
	return copyOf(st.FS, st.Newest.Name, &lastClose{st.R.Header, st.V.Inode, st.V.Birth, st.V.Durable}, st.Witness)
}

// judgeBare finds the successor that the newest log names, and decides what the
// files without a sound header are.
func (st *State) judgeBare(live bool) error {
	next := st.V.Successor
	for _, e := range st.Empty {
		if e.ID == next.ID {
			st.Next = e
		}
	}
	for _, e := range st.Alien { // uncovered by a torn first write, perhaps
		if e.ID == next.ID && !e.Sealed && st.Next == nil {
			e.Header = nil
			st.Bare = append(st.Bare, e)
			st.Others = slices.DeleteFunc(st.Others, func(name string) bool { return name == e.Name })
		}
	}
	for _, e := range st.Bare {
		switch {
		case e.ID == next.ID && !e.Sealed && (live || st.Next == nil):
			st.Next = e
			if !live {
				if err := st.judgeNext(e); err != nil {
					return err
				}
			}
		case live && e.ID > st.Newest.Header.Ref.ID: // begun since the folder was listed
		case e.ID == st.Newest.Header.Replaced.ID && !e.Sealed:
			st.Tmps = append(st.Tmps, e.Name) // recovery kept its bytes and could not remove it any more
		case st.tolerate && e.ID < st.Newest.Header.Ref.ID: // if it is of the set, it is missing there
			st.Problems = append(st.Problems, segment.InFile(st.FS.Path(e.Name), e.Err))
		default:
			return segment.InFile(st.FS.Path(e.Name), e.Err)
		}
	}
	st.Lost = next != (segment.Ref{}) && (st.Next == nil || st.Witness.Began(st.UUID, next))
	if st.Lost {
		st.Why = fmt.Sprintf("the log %s is lost", next)
	} else if next != (segment.Ref{}) {
		st.Why = fmt.Sprintf("the log %s was cut off as it was begun", next)
	}
	return nil
}

// judgeNext decides whether the first write to the successor was torn.
func (st *State) judgeNext(e *Entry) error {
	f, err := st.FS.Open(e.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := &segment.Head{Kind: segment.Log, UUID: st.UUID, Ref: st.V.Successor, FirstSeq: st.V.NextSeq}
	return segment.InFile(st.FS.Path(e.Name), JudgeHeaderless(segment.ReaderFor(h, f, e.Size)))
}
