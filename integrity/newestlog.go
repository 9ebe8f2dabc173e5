package integrity

import (
	"fmt"
	"slices"

	"github.com/varve-db/varve/segment"
)

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

// twoTips sets the error of old, a sealed log that does not know of the log e. Its header is neither
// torn nor damaged: the folder holds the ends of two histories.
func (st *State) twoTips(old, e *Entry) {
	c, ok := segment.AsCorrupt(old.Err)
	if a, b := st.R.Header.Ref, e.Header.Ref; ok && a.Timeline != b.Timeline {
		c.Reason = fmt.Sprintf("the folder holds two histories of the store: this log and %s end timelines %v and %v, and neither knows of the other", e.Name, a.Timeline, b.Timeline)
		c.Next = "open them one at a time: restore the timeline that is wanted to a folder of its own, or move the segments of the other out of this one"
	}
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
