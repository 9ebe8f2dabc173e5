package check

import (
	"fmt"
	"io/fs"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// tell fills in what the report says about the store as a whole, and the notes.
func (c *checker) tell() {
	c.modes()
	c.leftovers()
	st, r := c.st, c.rep
	if st == nil {
		r.Segments = c.live.Len()
		return
	}
	r.Timeline, r.Clean = st.Newest.Header.Ref.Timeline, st.Clean
	r.LastSeq, r.Segments = st.V.NextSeq-1, st.Live.Len()
	if st.V.Successor == (segment.Ref{}) { // else it is a part
		r.Records = st.V.Records
		r.Segments++
	}
	if !st.Clean && r.Level < integrity.Full {
		r.Level = integrity.Log // taken by itself
	}
	name := c.fs.Path(st.Newest.Name)
	switch n := st.Newest.Size - st.V.End; {
	case r.Writer:
		r.note(name, fmt.Sprintf("a process writes to it; it was checked as far as it is known to be on the disk, up to offset %d", st.V.End))
	case st.V.Torn != "" && n > 0:
		r.note(name, fmt.Sprintf("torn tail: %d bytes from offset %d on belong to no whole write (%s), and nobody was told that they were safe; the next open for writing cuts them off and keeps them",
			n, st.V.End, st.V.Torn))
	case st.Why != "" && !st.Lost:
		r.note(name, st.Why+"; the next open for writing recovers it")
	}
	for _, jump := range st.ClockJumps(time.Now()) {
		where := c.fs.Path(".")
		if e := c.s.File(jump.Segment); e != nil {
			where = c.fs.Path(e.Name)
		}
		r.note(where, jump.String())
	}
	if err := c.s.BadWitness; err != nil && !r.Writer {
		r.note(c.fs.Path(segment.LockName), fmt.Sprintf("nothing proves how far the log reached that was closed last: %v; the next close writes a witness anew", err))
	}
	for _, p := range st.Parts {
		if !p.Sealed && !r.Writer {
			r.note(c.fs.Path(p.Name), "a log that was ended and not sealed; the next open for writing seals it")
		}
		if !p.Sealed {
			r.Records += recordsOf(p)
		}
	}
}

// each notes the same of several files.
func (c *checker) each(names []string, text string) {
	for _, name := range names {
		c.rep.note(c.fs.Path(name), text)
	}
}

// recordsOf is how many puts and deletes a part has; zero: not known.
func recordsOf(p *integrity.Part) int64 {
	if p.Footer == nil {
		return 0
	}
	return p.Footer.Entries()
}

// modes notes what is more open than it was made.
func (c *checker) modes() {
	for _, e := range c.s.Files {
		mode := e.Mode(c.fs).Perm()
		switch {
		case mode == 0: // a file system without modes
		case e.Sealed && mode != 0o400:
			c.rep.note(c.fs.Path(e.Name), fmt.Sprintf("mode %#o where a sealed segment has 0400", mode))
		case !e.Sealed && mode&0o077 != 0:
			c.rep.note(c.fs.Path(e.Name), fmt.Sprintf("mode %#o where a log has 0600", mode))
		}
	}
}

// leftovers notes the files that no open of the store needs.
func (c *checker) leftovers() {
	var retired segment.Set
	if c.st != nil {
		retired = c.st.Retired()
	}
	for _, e := range c.s.Files {
		if ref := e.Header.Ref; c.outside(ref) && (c.st == nil || e != c.st.Newest) {
			text := "a segment that is not of the store's set, and is left alone"
			if retired.Has(ref) {
				text = "a segment that has left the store's set; an open for writing removes it"
			}
			c.rep.note(c.fs.Path(e.Name), text)
		}
	}
	for _, d := range c.s.Dups {
		c.rep.note(c.fs.Path(d[1].Name), "the log of which "+d[0].Name+" was made; an open for writing removes it")
	}
	if !c.rep.Writer { // else they are the writer's
		c.each(c.s.Tmps, "left over from work that was cut off; an open for writing removes it")
	}
	c.each(c.s.Torn, "what a recovery cut off a log and kept")
	c.each(c.s.Others, "not of this store; left alone")
	if _, err := fs.Stat(c.fsys, integrity.QuarantineName); err == nil {
		c.rep.note(c.fs.Path(integrity.QuarantineName), "holds what repair replaced")
	}
}
