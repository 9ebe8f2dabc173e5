package repair

import (
	"fmt"
	"slices"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// healShortLog heals the newest log if it is sound and another copy has more of it. The copy was
// made of this log, so the rest was lost here.
func (p *planner) healShortLog(l *integrity.Entry, v *integrity.Verdict) bool {
	if l.Sealed || v.Successor != (segment.Ref{}) || p.tried[l.Name] || p.healed[l.Name] {
		return false
	}
	x := &candidate{ref: l.Header.Ref, e: l}
	r, src, err := p.donated(x)
	if r == nil {
		if p.has.has(x.ref) {
			p.note(l.Name, "not compared: %v", err)
		}
		return false
	}
	defer src.Close()
	d, err := integrity.Judge(nil, r, integrity.Log)
	if err != nil {
		p.note(l.Name, "not compared: %s: %v", p.from, err)
		return false
	}
	if d.End < v.End || d.End == v.End && (v.Torn == "" || d.Torn != "") {
		return false
	}
	f := integrity.Finding{Kind: integrity.DamagedLog, File: l.Name, Offset: v.End, FirstSeq: v.NextSeq, LastSeq: max(v.NextSeq, d.NextSeq-1),
		Reason: fmt.Sprintf("it ends at offset %d, and in %s at %d", v.End, p.from, d.End)}
	if d.End == v.End {
		f.Reason = fmt.Sprintf("behind offset %d it has %s, and ends there in %s", v.End, v.Torn, p.from)
	}
	left := len(p.plan.Left)
	if p.heal(x.ref, l, f, false) {
		return true
	}
	// The log is sound as far as it goes, so nothing is left to be healed.
	for _, f := range p.plan.Left[left:] {
		p.note(l.Name, "%s", f.Reason)
	}
	p.plan.Left = p.plan.Left[:left]
	return false
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

// healLaterLogs looks for logs after l, the newest log with a sound header. Its verdict is v, or nil.
func (p *planner) healLaterLogs(s *integrity.Inventory, l *integrity.Entry, v *integrity.Verdict) (bool, error) {
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

// replacing returns the log of the other copy that replaced the log ref.
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
