package check

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// problems turns the problems of a tolerant survey into findings. Damage inside sealed segments is
// left to the jobs, which name all of it.
func (c *checker) problems() {
	for _, err := range c.s.Problems {
		c.problem(err)
	}
	st := c.st
	for _, p := range st.Parts {
		if p.Err != nil && !p.Sealed {
			c.rep.find(c.finding(integrity.DamagedLog, p.Err))
		}
	}
	c.missing(st.Missing)
	unjudged := slices.ContainsFunc(slices.Concat(c.s.Newer, c.s.Unread), func(e *integrity.Entry) bool { return e.ID == st.V.Successor.ID })
	if st.Lost && !unjudged {
		f := integrity.Finding{Kind: integrity.LostLog, Segment: st.V.Successor, File: c.fs.Path(segment.FileName(st.V.Successor.ID, segment.OpenExt)),
			Reason:   fmt.Sprintf("the log that %s names as the next is not there", c.fs.Path(st.Newest.Name)),
			FirstSeq: st.V.NextSeq, LastSeq: st.V.NextSeq}
		if w := st.Witness; w.Began(st.UUID, st.V.Successor) {
			f.Reason = fmt.Sprintf("nothing is there of the log that %s names as the next; %s, after it was begun", c.fs.Path(st.Newest.Name), integrity.Witnessed(w))
			f.FirstSeq, f.LastSeq = 0, 0
			if st.V.NextSeq <= w.LastSeq {
				f.FirstSeq, f.LastSeq = st.V.NextSeq, w.LastSeq
			}
		}
		c.rep.find(f)
	}
}

// finding makes a finding of an error. If the error is about damage, its kind is k; otherwise the
// error itself says the kind.
func (c *checker) finding(k integrity.Kind, err error) integrity.Finding {
	f := integrity.Finding{Kind: k, Reason: err.Error()}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		f.File = e.Path
	}
	switch e, ok := segment.AsCorrupt(err); {
	case ok:
		f.Segment, f.File, f.Offset, f.Reason = e.Segment, e.File, e.Offset, e.Reason
		f.Keys, f.FirstSeq, f.LastSeq = e.Keys, e.FirstSeq, e.LastSeq
	case errors.Is(err, segment.ErrVersion):
		f.Kind = integrity.NewerVersion
	case errors.Is(err, integrity.ErrMissing):
		f.Kind = integrity.Missing
	case errors.Is(err, integrity.ErrNotStore):
		f.Kind = integrity.Contradiction
	default:
		f.Kind = integrity.Unreadable
	}
	return f
}

// problem adds the finding for a problem of the survey.
func (c *checker) problem(err error) {
	f := c.finding(integrity.Contradiction, err)
	if e := c.unclear().about(err); e != nil {
		if f.Kind == integrity.Contradiction && f.Segment == (segment.Ref{}) { // else its header is sound, and in the wrong place
			f.Kind = integrity.DamagedHeader
		}
		f.File = c.fs.Path(e.Name)
		f.Reason = strings.TrimPrefix(f.Reason, f.File+": ")
		if f.Segment == (segment.Ref{}) {
			f.Segment = c.named(e.ID)
		}
		if e.Sealed && f.Kind == integrity.DamagedHeader {
			c.stake(&f)
		}
	}
	c.rep.find(f)
}

// sameError reports whether err is e with a file's name added.
func sameError(e, err error) bool {
	a, ok := segment.AsCorrupt(e)
	b, too := segment.AsCorrupt(err)
	if ok || too {
		return a == b
	}
	return e != nil && errors.Is(err, e)
}

// unclear returns the files without a usable header, by their errors and by their numbers.
func (c *checker) unclear() *unclear {
	if c.odd == nil {
		c.odd = unclearOf(c.s)
	}
	return c.odd
}

// named returns the segment of the set with an id, or else the id alone.
func (c *checker) named(id segment.ID) segment.Ref {
	if c.byID == nil {
		c.byID = make(map[segment.ID]segment.Ref, c.live.Len())
		for r := range c.live.All() {
			if _, twice := c.byID[r.ID]; !twice {
				c.byID[r.ID] = r
			}
		}
	}
	return cmp.Or(c.byID[id], segment.Ref{ID: id})
}

// setLive takes note of the set.
func (c *checker) setLive(live segment.Set) { c.live, c.byID = live, nil }

// stake fills in the sequence numbers of a segment that is not there or has no
// header: by its table, else, between two logs of its timeline, all between theirs.
func (c *checker) stake(f *integrity.Finding) {
	if c.st == nil {
		return
	}
	if t := c.footerAt(f.Segment); t != nil {
		f.FirstSeq, f.LastSeq = t.FirstSeq, t.LastSeq
		return
	}
	prev, next := f.Segment, f.Segment
	prev.ID, next.ID = prev.ID-1, next.ID+1
	before, after := c.footerAt(prev), c.s.File(next)
	if before != nil && c.s.File(prev) != nil && c.s.File(prev).Header.Kind == segment.Log &&
		after != nil && after.Header.Kind == segment.Log && before.LastSeq+1 < after.Header.FirstSeq {
		f.FirstSeq, f.LastSeq = before.LastSeq+1, after.Header.FirstSeq-1
	}
}

// missing adds the findings for segments of the set that are not there. One
// whose file is there and cannot be judged has a finding already.
func (c *checker) missing(refs []segment.Ref) {
	for _, ref := range refs {
		if len(c.unclear().byID[ref.ID]) > 0 {
			continue
		}
		f := integrity.Finding{Kind: integrity.Missing, Segment: ref, File: c.fs.Path(segment.FileName(ref.ID, segment.SealedExt)), Reason: "a segment of the store is not there"}
		c.stake(&f)
		c.rep.find(f)
	}
}

// withoutNewest is for a store whose newest log cannot be read to its end: why is the error. The
// rest of the store is checked nevertheless, against the set in the log's header, after the log's
// sound edits.
func (c *checker) withoutNewest(why error) error {
	newest := c.s.NewestLog()
	if newest == nil && errors.Is(why, integrity.ErrNotStore) {
		return why
	}
	for _, e := range c.s.Bare {
		if e.Sealed {
			c.problem(segment.InFile(c.fs.Path(e.Name), e.Err))
		}
	}
	for _, err := range c.s.Problems {
		c.problem(err)
	}
	if newest == nil {
		c.rep.find(c.finding(integrity.DamagedHeader, why))
		return nil
	}
	c.setLive(c.editedBy(newest).With(newest.Header.Ref))
	f := c.finding(integrity.DamagedLog, why)
	if f.Segment == (segment.Ref{}) {
		f.Segment = newest.Header.Ref
	}
	mine := f.File == c.fs.Path(newest.Name)
	switch {
	case mine && newest.Sealed && f.Kind == integrity.DamagedLog:
		if !c.jobNames(newest) {
			f.Kind = integrity.DamagedRecord
			c.rep.find(f)
		}
	case mine && f.Kind == integrity.DamagedLog && closedOnly(why):
		c.rep.find(f)
	case mine && f.Kind == integrity.DamagedLog:
		if err := c.damagedLog(newest, f); err != nil {
			return err
		}
	case slices.ContainsFunc(c.s.Bare, func(e *integrity.Entry) bool { return e.Sealed && sameError(e.Err, why) }): // found above
	case slices.ContainsFunc(c.s.Bare, func(e *integrity.Entry) bool { return c.fs.Path(e.Name) == f.File && !sameError(e.Err, why) }):
		f.Kind = integrity.DamagedHeader // of a log whose records say that it was durable
		c.rep.find(f)
	default:
		c.problem(why)
	}
	var missing []segment.Ref
	for ref := range c.live.All() {
		if c.s.File(ref) == nil {
			missing = append(missing, ref)
		}
	}
	c.missing(missing)
	return nil
}

// closedOnly reports whether an error says that a log is sound up to where it ends below the
// witness of its close: then there is nothing more in it to be named.
func closedOnly(err error) bool {
	c, ok := segment.AsCorrupt(err)
	return ok && c.Closed
}

// editedBy returns the live set of a log's header after its edits, as far as it
// can be read.
func (c *checker) editedBy(e *integrity.Entry) (live segment.Set) {
	src, err := c.open(e)
	if err != nil {
		return live
	}
	r, err := segment.NewReader(src, e.Size)
	if err != nil {
		return live
	}
	live = r.Header.Live
	for rec, err := range r.Records(segment.Span{}) {
		if err != nil {
			break
		}
		if rec.Kind != segment.Edit {
			continue
		}
		if x, err := rec.ParseEdit(); err == nil {
			live = x.Apply(live)
		}
	}
	return live
}

// jobNames reports whether the job of a sealed segment, which is damaged, will
// come upon the damage: it reads all of it, or it is in the footer.
func (c *checker) jobNames(e *integrity.Entry) bool {
	if c.o.Level == integrity.Full && (c.o.Sample == 0 || c.o.Sample == 1) {
		return true
	}
	src, err := c.open(e)
	if err != nil {
		return true
	}
	_, found := integrity.VerifyTable(c.ctx, src, e.Size, integrity.VerifyOptions{})
	return len(found) > 0
}

// damagedLog names all damage in the durable part of the newest log; first is
// what the judgement of the log says of it.
func (c *checker) damagedLog(e *integrity.Entry, first integrity.Finding) error {
	src, err := c.open(e)
	if err != nil {
		c.rep.find(first, c.finding(integrity.Unreadable, err))
		return nil
	}
	found, edits, err := integrity.DiagnoseLog(c.ctx, src, e.Size, integrity.VerifyOptions{File: first.File, Ref: e.Header.Ref})
	for _, x := range edits {
		c.live = x.Apply(c.live)
	}
	if err != nil || len(found) == 0 {
		found = []integrity.Finding{first}
	}
	c.rep.find(found...)
	return c.ctx.Err()
}
