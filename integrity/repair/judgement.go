package repair

import (
	"errors"
	"strings"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// unsealed reports whether a file has the name of a sealed segment and is a log that was
// closed in order and never sealed. A sealed segment that is cut off where an earlier close had
// ended it looks the same, but has the mode that a seal sets.
func (p *planner) unsealed(e *integrity.Entry) bool {
	if e.Header == nil || e.Header.Kind != segment.Log || e.Mode(p.view)&0o200 == 0 {
		return false
	}
	src, err := p.view.Open(e.Name)
	if err != nil {
		return false
	}
	defer src.Close()
	r, err := segment.NewReader(src, e.Size)
	if err != nil {
		return false
	}
	if _, err := r.OpenFooter(); !errors.Is(err, segment.ErrNoFooter) {
		return false
	}
	v, err := integrity.Judge(nil, r, integrity.Log)
	return err == nil && v.Closed && v.Torn == ""
}

// finding makes a finding of an error.
func (p *planner) finding(err error) integrity.Finding {
	if c, ok := segment.AsCorrupt(err); ok {
		return integrity.Finding{Kind: integrity.DamagedLog, Segment: c.Segment, File: strings.TrimPrefix(c.File, p.view.Path(".")+"/"), Offset: c.Offset,
			Reason: c.Reason, Keys: c.Keys, FirstSeq: c.FirstSeq, LastSeq: c.LastSeq}
	}
	kind := integrity.Contradiction
	switch {
	case errors.Is(err, integrity.ErrMissing):
		kind = integrity.Missing
	case errors.Is(err, segment.ErrVersion):
		kind = integrity.NewerVersion
	}
	return integrity.Finding{Kind: kind, Reason: err.Error()}
}

// judgement is the result of a full look at a file with a sound header.
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
