package repair

import (
	"errors"
	"fmt"
	"slices"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// judgement is what a full look at a file with a sound header came to.
type judgement struct {
	findings []integrity.Finding // none: it is sound
	v        *integrity.Verdict  // of a log that is sound, sealed or not
}

func (j *judgement) sound() bool { return len(j.findings) == 0 }

// judge looks at all of a file, once.
func (p *planner) judge(e *integrity.Entry) (*judgement, error) {
	if j := p.judged[e.Name]; j != nil {
		return j, nil
	}
	j := &judgement{}
	src, err := p.view.Open(e.Name)
	if err == nil {
		if e.Sealed {
			err = p.judgeSealed(e, src, j)
		} else {
			err = p.judgeLog(e, src, j)
		}
		err = errors.Join(err, src.Close())
	}
	if p.ctx.Err() != nil {
		return nil, p.ctx.Err()
	}
	if err != nil {
		j.findings = append(j.findings, integrity.Finding{Kind: integrity.Unreadable, Segment: e.Header.Ref, File: e.Name, Reason: err.Error()})
	}
	p.plan.Files++
	p.plan.Bytes += e.Size
	p.judged[e.Name] = j
	return j, nil
}

func (p *planner) judgeSealed(e *integrity.Entry, src integrity.Source, j *judgement) error {
	_, list, err := integrity.VerifySealed(p.ctx, src, e.Size, integrity.VerifyOptions{File: e.Name, Ref: e.Header.Ref, Progress: p.progress})
	j.findings = list
	if err != nil || len(list) > 0 || e.Header.Kind != segment.Log {
		return err
	}
	r, err := segment.NewReader(src, e.Size)
	if err == nil {
		j.v, err = integrity.Judge(nil, r, integrity.None)
	}
	return err
}

func (p *planner) judgeLog(e *integrity.Entry, src integrity.Source, j *judgement) error {
	r, err := segment.NewReader(src, e.Size)
	if err == nil {
		j.v, err = integrity.JudgeNewest(p.witness, r, integrity.Log)
	}
	if p.progress != nil {
		p.progress(e.Size)
	}
	if c, ok := segment.AsCorrupt(err); ok {
		f := p.finding(c)
		f.File = e.Name
		j.findings = append(j.findings, f)
		return nil
	}
	return err
}

// round finds the first thing that is wrong and can be healed, and adds the step for
// it. It reports whether it did.
func (p *planner) round() (bool, error) {
	s, err := p.look()
	if err != nil {
		return false, err
	}
	p.blind = false
	for _, e := range s.Newer {
		p.leave(e.Name, integrity.Finding{Kind: integrity.NewerVersion, File: e.Name, Reason: e.Err.Error(), Next: segment.UseNewer})
	}
	l := s.NewestLog()
	if l == nil {
		return p.noLog(s)
	}
	j, err := p.judge(l)
	if err != nil {
		return false, err
	}
	if !j.sound() {
		if p.healFile(l, j, l.Sealed || p.ended(l.Header.Ref)) {
			return true, nil
		}
		p.blind = true
	} else if p.ahead(l, j.v) {
		return true, nil
	}
	if again, err := p.after(s, l, j.v); again || err != nil {
		return again, err
	}
	return p.set(s, l, j.v)
}

// ended reports whether the witness of a close proves that a log was ended.
func (p *planner) ended(ref segment.Ref) bool {
	ref.ID++
	return p.witness.Began(p.plan.UUID, ref)
}

// noLog is for a folder in which no log has a sound header.
func (p *planner) noLog(s *integrity.Inventory) (bool, error) {
	p.blind = true
	for _, e := range slices.Backward(s.Headerless()) {
		if p.healBare(e) {
			return true, nil
		}
	}
	if len(s.Headerless())+len(s.Newer) == 0 {
		p.leave("", integrity.Finding{Kind: integrity.Missing, Reason: "no log among the segments"})
	}
	return false, p.ctx.Err()
}

// healFile heals a file that has a header and findings.
func (p *planner) healFile(e *integrity.Entry, j *judgement, ended bool) bool {
	if p.tried[e.Name] || p.healed[e.Name] {
		return false
	}
	for _, f := range j.findings {
		if f.Kind == integrity.NewerVersion {
			f.Next = segment.UseNewer
			p.leave(e.Name, f)
			return false
		}
	}
	left := len(p.plan.Left)
	if p.heal(e.Header.Ref, e, j.findings[0], ended) {
		return true
	}
	if len(p.plan.Left) == left {
		return false // an earlier step takes the file away, and its findings with it
	}
	next := p.plan.Left[len(p.plan.Left)-1].Next
	for _, f := range j.findings[1:] {
		f.Next = next
		p.plan.Left = append(p.plan.Left, f)
	}
	return false
}

// healBare heals a file without a sound header as that segment of its number
// which the other copy has.
func (p *planner) healBare(e *integrity.Entry) bool {
	f := integrity.Finding{Kind: integrity.DamagedHeader, File: e.Name, Reason: e.Err.Error()}
	if c, ok := segment.AsCorrupt(e.Err); ok {
		f.Offset, f.Reason = c.Offset, "header: "+c.Reason
	} else {
		f.Kind = integrity.Unreadable
	}
	for _, ref := range p.has.ofID(e.ID) {
		if p.heal(ref, e, f, false) {
			return true
		}
	}
	p.leave(e.Name, f)
	return false
}

// after looks for logs after l, the newest one with a sound header, of which v is the
// verdict, or nil.
func (p *planner) after(s *integrity.Inventory, l *integrity.Entry, v *integrity.Verdict) (bool, error) {
	var next segment.Ref
	if v != nil {
		next = v.Successor
	}
	known := false
	for _, e := range slices.Backward(s.Headerless()) {
		if e.ID > l.Header.Ref.ID && e.ID != next.ID {
			if p.healBare(e) {
				return true, nil
			}
			known, p.blind = true, true
		}
	}
	for _, e := range s.Newer {
		if e.ID > l.Header.Ref.ID {
			known, p.blind = true, true
		}
	}
	if next == (segment.Ref{}) || known {
		return false, p.ctx.Err()
	}
	return p.successor(s, next, v)
}

// successor looks for the log that the newest one names.
func (p *planner) successor(s *integrity.Inventory, ref segment.Ref, v *integrity.Verdict) (bool, error) {
	var e *integrity.Entry
	for _, list := range [][]*integrity.Entry{s.Empty, s.Headerless(), s.Alien} {
		if i := slices.IndexFunc(list, func(e *integrity.Entry) bool { return e.ID == ref.ID }); i >= 0 && e == nil {
			e = list[i]
		}
	}
	f := integrity.Finding{Kind: integrity.LostLog, Segment: ref, FirstSeq: v.NextSeq, Reason: "the log that the one before it names is not there"}
	if e != nil {
		f.File = e.Name
		if e.Size > 0 {
			f.Kind, f.Reason = integrity.DamagedHeader, "no header of this log"
		} else {
			f.Reason = "the log is empty"
		}
	}
	lost := e == nil || e.Sealed
	if p.witness.Began(p.plan.UUID, ref) {
		lost = true
		f.Reason += "; " + integrity.Witnessed(p.witness) + ", after it was begun"
	}
	if p.has.has(ref) && p.heal(ref, e, f, p.ended(ref)) {
		return true, nil
	}
	if d, ok := p.replacing(ref); ok && p.heal(d, nil, f, false) {
		p.note(d.ID.String(), "%v took the place of %v in %s: what was put to that copy by itself is in it, too", d, ref, p.from)
		return true, nil
	}
	switch {
	case lost:
		f.Kind = integrity.LostLog
		p.leave(ref.String(), f)
	case e.Size > 0:
		src, err := p.view.Open(e.Name)
		if err != nil {
			p.leave(e.Name, integrity.Finding{Kind: integrity.Unreadable, Segment: ref, File: e.Name, Reason: err.Error()})
			break
		}
		defer src.Close()
		h := &segment.Head{Kind: segment.Log, UUID: p.plan.UUID, Ref: ref, FirstSeq: v.NextSeq}
		if err := integrity.JudgeHeaderless(segment.ReaderFor(h, src, e.Size)); err != nil {
			g := p.finding(err)
			g.Kind, g.File = integrity.DamagedHeader, e.Name
			p.leave(e.Name, g)
			p.blind = true
		}
	}
	return false, p.ctx.Err()
}

// replacing returns the log of the other copy that took the place of one.
func (p *planner) replacing(ref segment.Ref) (segment.Ref, bool) {
	for _, r := range slices.Backward(p.has) {
		if r.ID <= ref.ID {
			break
		}
		src, size, err := p.from.Segment(p.ctx, p.plan.UUID, r)
		if err != nil {
			continue
		}
		d, err := segment.NewReader(src, size)
		src.Close()
		if err == nil && d.Header.Replaced == ref {
			return r, true
		}
	}
	return segment.Ref{}, false
}

// set looks at the segments of which the newest log l says that they make up the
// store; v is nil if not all of l could be read.
func (p *planner) set(s *integrity.Inventory, l *integrity.Entry, v *integrity.Verdict) (bool, error) {
	live, err := p.liveOf(l)
	if err != nil {
		return false, err
	}
	if v != nil {
		for _, e := range v.Edits {
			live = e.Apply(live)
		}
	}
	if v != nil && !p.blind {
		p.live = live.With(l.Header.Ref)
	}
	again := false
	for ref := range live.All() {
		healed, err := p.member(s, l, ref)
		if err != nil {
			return false, err
		}
		again = again || healed
	}
	return again || p.useless(s, l, live), p.ctx.Err()
}

// liveOf reads the live set in the header of a log.
func (p *planner) liveOf(l *integrity.Entry) (segment.Set, error) {
	src, err := p.view.Open(l.Name)
	if err != nil {
		return segment.Set{}, err
	}
	defer src.Close()
	h, err := l.WholeHeader(src)
	if err != nil {
		return segment.Set{}, segment.InFile(p.view.Path(l.Name), err)
	}
	return h.Live, nil
}

// member looks at one segment of the set.
func (p *planner) member(s *integrity.Inventory, l *integrity.Entry, ref segment.Ref) (bool, error) {
	e := first(s, ref)
	if e == nil {
		return p.missing(s, l, ref), nil
	}
	j, err := p.judge(e)
	if err != nil {
		return false, err
	}
	if j.sound() && !e.Sealed && j.v.Successor == (segment.Ref{}) {
		j.findings = append(j.findings, integrity.Finding{Kind: integrity.DamagedLog, Segment: ref, File: e.Name, Offset: j.v.End, FirstSeq: j.v.NextSeq,
			LastSeq: max(j.v.NextSeq, l.Header.FirstSeq-1), Reason: "the log does not end here, since a later one was begun"})
	}
	return !j.sound() && p.healFile(e, j, true), nil
}

// missing heals a segment that has no file with a sound header.
func (p *planner) missing(s *integrity.Inventory, l *integrity.Entry, ref segment.Ref) bool {
	f := integrity.Finding{Kind: integrity.Missing, Segment: ref, Reason: "no file of this segment is there"}
	ids := s.FilesByID()
	if len(ids.Newer[ref.ID]) > 0 {
		return false // and said so
	}
	named := slices.Concat(ids.Headerless[ref.ID], ids.Alien[ref.ID], ids.Empty[ref.ID])
	if len(named) == 0 {
		return p.heal(ref, nil, f, true)
	}
	e := named[0]
	f.File = e.Name
	if c, ok := segment.AsCorrupt(e.Err); ok {
		f.Kind, f.Offset, f.Reason = integrity.DamagedHeader, c.Offset, "header: "+c.Reason
	} else if e.Err != nil {
		f.Kind, f.Reason = integrity.Unreadable, e.Err.Error()
	} else if e.Header != nil {
		f.Reason = "the file is of another store"
	}
	return p.heal(ref, e, f, true)
}

// first returns the first file of a segment, nil if there is none.
func first(s *integrity.Inventory, ref segment.Ref) *integrity.Entry {
	for _, e := range s.FilesOf(ref) {
		return e
	}
	return nil
}

// useless sets aside files without a header that are of no segment of the store:
// it does not open as long as they are there.
func (p *planner) useless(s *integrity.Inventory, l *integrity.Entry, live segment.Set) (again bool) {
	if p.blind || len(p.plan.Left) > 0 || len(s.Headerless()) == 0 {
		return false // one of them may be what is looked for
	}
	lacking := map[segment.ID]bool{}
	for r := range live.All() {
		if first(s, r) == nil {
			lacking[r.ID] = true
		}
	}
	for _, e := range s.Headerless() {
		if e.ID >= l.Header.Ref.ID || lacking[e.ID] || e.ID == l.Header.Replaced.ID && !e.Sealed {
			continue
		}
		p.step(Step{Action: SetAside, File: e.Name, Reason: fmt.Sprintf("no sound header, and no segment of the store is missing: %v", e.Err)})
		again = true
	}
	return again
}
