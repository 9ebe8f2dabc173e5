package store

import (
	"fmt"
	"slices"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// standing is what the files of a store amount to: its newest log, what that log
// says the store is made of, and what is wrong with its end. Finding it changes
// nothing.
type standing struct {
	*survey
	newest *entry
	sf     *segFile        // of the newest log
	r      *segment.Reader // of its records
	v      *integrity.Verdict
	parts  []*part       // the segments that have a table, or can have one
	live   []segment.Ref // theirs
	next   *entry        // the named successor, if it is there without a sound header
	lost   bool          // the named successor is not there
	clean  bool          // closed in order, and this very file
	why    string        // why the newest log cannot be continued
}

// stand finds out how the store stands. live says that a writer is at work: then
// the newest log counts only as far as it is known to be on the disk, and
// what looks torn is what is being written.
func (s *survey) stand(level integrity.Level, live bool) (st *standing, err error) {
	st = &standing{survey: s, newest: s.newest()}
	defer func() {
		if err != nil {
			st.close()
			st = nil
		}
	}()
	if st.newest == nil {
		return st, s.noLog()
	}
	if err := st.judge(level); err != nil {
		return st, err
	}
	if o := st.unaccounted(); o != nil && !live {
		// Either a torn first write uncovered the header of a freed file, which
		// the end record of the log before it proves, or o does not belong here.
		old := st.newest
		s.demote(old, "which does not know of "+o.name+"; one of them does not belong here")
		if old.sealed {
			return st, inFile(s.fs.Path(old.name), old.err)
		}
		st.sf.unpin()
		st.newest, st.sf, st.why = s.newest(), nil, ""
		if err := st.judge(level); err != nil {
			return st, err
		}
	}
	if err := st.judgeBare(live); err != nil {
		return st, err
	}
	if err := st.gather(); err != nil {
		return st, err
	}
	if live && st.v.Successor == (segment.Ref{}) {
		st.v.End = min(st.v.End, max(st.v.Durable, st.r.HeaderSize))
	}
	return st, st.chain()
}

// close lets go of the files.
func (st *standing) close() {
	if st.sf != nil {
		st.sf.unpin()
	}
	for _, p := range st.parts {
		p.sf.unpin()
	}
}

// noLog is the error for a folder without a newest log.
func (s *survey) noLog() error {
	if len(s.bare) > 0 {
		e := s.bare[len(s.bare)-1]
		return inFile(s.fs.Path(e.name), e.err)
	}
	if len(s.files)+len(s.empty) > 0 {
		return fmt.Errorf("%s: no log among the segments: %w", s.fs.Path("."), ErrMissing)
	}
	return fmt.Errorf("%s: %w", s.fs.Path("."), ErrNotStore)
}

// judge reads the newest log.
func (st *standing) judge(level integrity.Level) error {
	e := st.newest
	sf, err := st.openFile(e)
	if err != nil {
		return err
	}
	st.sf = sf
	end := e.size
	if e.sealed {
		f, err := footerOf(sf, e.size)
		if err != nil {
			return err
		}
		end = f.RecordsEnd
	}
	if st.r, err = segment.NewReader(sf, end); err != nil {
		return inFile(sf.path, err)
	}
	if st.v, err = integrity.Judge(st.r, level); err != nil {
		return inFile(sf.path, err)
	}
	if e.sealed && st.v.Successor == (segment.Ref{}) {
		return &CorruptError{File: sf.path, Segment: e.hdr.Ref, Offset: st.v.End, Reason: "a sealed log without an end record"}
	}
	return st.judgeClose()
}

// unaccounted returns a log that was begun after those of the newest log's set
// and is not the one that it replaced: whoever began the newest log did
// not know of it.
func (st *standing) unaccounted() *entry {
	h := st.newest.hdr
	known := slices.Concat(h.Live, st.retired())
	for _, e := range st.v.Edits {
		known = append(known, e.Adopt...)
	}
	last := segment.ID(0)
	for _, r := range known {
		last = max(last, r.ID)
	}
	known = append(known, h.Ref, h.Replaced)
	for _, e := range slices.Backward(st.files) {
		if e.hdr.Kind == segment.Log && e.hdr.Ref.ID > last && !slices.Contains(known, e.hdr.Ref) {
			return e
		}
	}
	return nil
}

// retired returns what the newest log says has left the set, and may be on the
// disk still.
func (st *standing) retired() []segment.Ref {
	refs := st.newest.hdr.Retired
	for _, e := range st.v.Edits {
		for _, r := range e.Retire {
			refs = with(refs, r)
		}
	}
	return refs
}

// judgeClose finds out whether the newest log can be continued.
func (st *standing) judgeClose() error {
	switch {
	case st.v.Successor != (segment.Ref{}):
		return nil
	case st.v.Torn != "":
		st.why = "the newest log has a torn tail"
	case !st.v.Closed:
		st.why = "the store was not closed"
	default:
		f, err := st.fs.Open(st.newest.name)
		if err != nil {
			return err
		}
		defer f.Close()
		id, err := f.Identity()
		if err != nil {
			return err
		}
		// Inode numbers are given to other files soon; without a birth time nothing is certain.
		st.clean = id.Inode == st.v.Inode && id.Birth == st.v.Birth && id.Birth != 0
		if !st.clean {
			// It will be written anew, so damage anywhere in it must be known first.
			st.why = "the newest log is a copy of the one that was closed"
			st.v, err = integrity.Judge(st.r, integrity.Log)
			return inFile(st.sf.path, err)
		}
	}
	return nil
}

// judgeBare finds the successor that the newest log names, and decides what the
// files without a sound header are.
func (st *standing) judgeBare(live bool) error {
	next := st.v.Successor
	for _, e := range st.empty {
		if e.id == next.ID {
			st.next = e
		}
	}
	for _, e := range st.alien { // uncovered by a torn first write, perhaps
		if e.id == next.ID && st.next == nil {
			e.hdr = nil
			st.bare = append(st.bare, e)
			st.others = slices.DeleteFunc(st.others, func(name string) bool { return name == e.name })
		}
	}
	for _, e := range st.bare {
		switch {
		case e.id == next.ID && !e.sealed && (live || st.next == nil):
			st.next = e
			if !live {
				if err := st.judgeNext(e); err != nil {
					return err
				}
			}
		case live && e.id > st.newest.id: // begun since the folder was listed
		case e.id == st.newest.hdr.Replaced.ID && !e.sealed:
			st.tmps = append(st.tmps, e.name) // recovery kept its bytes and could not remove it any more
		default:
			return inFile(st.fs.Path(e.name), e.err)
		}
	}
	st.lost = next != (segment.Ref{}) && st.next == nil
	if st.lost {
		st.why = fmt.Sprintf("the log %s is lost", next)
	} else if next != (segment.Ref{}) {
		st.why = fmt.Sprintf("the log %s was cut off as it was begun", next)
	}
	return nil
}

// judgeNext decides whether the first write to the successor was torn.
func (st *standing) judgeNext(e *entry) error {
	f, err := st.fs.Open(e.name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := &segment.Header{Kind: segment.Log, UUID: st.uuid, Ref: st.v.Successor, FirstSeq: st.v.NextSeq}
	return inFile(st.fs.Path(e.name), integrity.JudgeHeaderless(segment.ReaderFor(h, f, e.size)))
}
