package repair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// makePlan is MakePlan for a caller that holds the lock, or knows that no process does.
func makePlan(ctx context.Context, fsys vfs.FS, o *Options) (*Plan, error) {
	p := &planner{ctx: ctx, from: o.From, progress: o.Progress, view: newView(fsys), judged: map[string]*judgement{}, tried: map[string]bool{}, healed: map[string]bool{}}
	w, bad, unread := integrity.ReadWitness(fsys)
	p.witness = w
	p.plan = &Plan{Path: fsys.Path("."), Steps: []Step{}, Left: []integrity.Finding{}, Notes: []integrity.Note{}, view: p.view}
	if err := cmp.Or(bad, unread); err != nil {
		p.note(segment.LockName, "nothing proves how far the log reached that was closed last: %v", err)
	}
	if err := p.run(); err != nil {
		return nil, err
	}
	return p.plan, nil
}

// planner makes a plan: it finds something wrong, adds the step that heals it, and
// looks again at the folder as it will be after that.
type planner struct {
	ctx      context.Context
	from     Donor
	has      refList // what from has of this store
	progress func(int64)
	witness  *segment.Witness // of the store's last close, or nil
	view     *view
	plan     *Plan
	judged   map[string]*judgement // of files as they stand in the view, by name
	tried    map[string]bool       // what is in Left, by name or segment
	healed   map[string]bool       // by name
	blind    bool                  // what the store is made of is not known for certain
	live     segment.Set           // what it is made of, the newest log included, once that is known
}

// errNoLog is the reason for a folder in which all logs are empty.
var errNoLog = errors.New("no log was begun")

func (p *planner) run() error {
	s, err := p.look()
	if err != nil {
		return err
	}
	if err := s.NoStore(); err != nil {
		return err
	}
	if err := p.askDonor(); err != nil {
		return err
	}
	if p.plan.UUID == (segment.UUID{}) {
		e := slices.Concat(s.Headerless(), s.Newer, s.Empty)[0]
		p.leave(e.Name, integrity.Finding{Kind: integrity.DamagedHeader, File: e.Name, Reason: fmt.Sprintf("no segment in the folder has a sound header: %v", cmp.Or(e.Err, errNoLog))})
		return p.ctx.Err()
	}
	if err := p.names(); err != nil {
		return err
	}
	for {
		n := len(p.plan.Steps)
		for again := true; again; { // each such round heals a file, and none is healed twice
			if again, err = p.round(); err != nil {
				return err
			}
		}
		if err := p.names(); err != nil {
			return err
		}
		if len(p.plan.Steps) == n {
			break
		}
		// What could not be done before may have become possible.
		p.plan.Left, p.tried = []integrity.Finding{}, map[string]bool{}
	}
	p.modes()
	return errors.Join(p.verdict(), p.ctx.Err())
}

// look reads the headers of the folder as it will be.
func (p *planner) look() (*integrity.Inventory, error) {
	s, err := integrity.ReadHeaders(p.view, integrity.HeaderOptions{Owner: p.plan.UUID, Unsealed: p.unsealed})
	if err == nil {
		p.plan.UUID = s.UUID
	}
	return s, err
}

// askDonor finds out what the other copy has. If no header of the store is sound, and the copy
// is of one store, the store gets the copy's UUID.
func (p *planner) askDonor() error {
	if p.from == nil {
		return nil
	}
	p.plan.From = p.from.String()
	stores, err := p.from.Stores(p.ctx)
	if err != nil {
		return err
	}
	if p.plan.UUID == (segment.UUID{}) && len(stores) == 1 {
		p.plan.UUID = stores[0]
	}
	if !slices.Contains(stores, p.plan.UUID) {
		return fmt.Errorf("%s: no segment of the store %v: %w", p.from, p.plan.UUID, integrity.ErrNotStore)
	}
	list, err := p.from.Segments(p.ctx, p.plan.UUID)
	p.has = slices.SortedFunc(slices.Values(list), segment.Ref.Compare)
	return err
}

// step adds a step, and changes the view to the folder after that step.
func (p *planner) step(s Step) {
	switch s.Action {
	case Rename:
		p.view.files[s.To] = s.new
		p.view.files[s.File] = nil
	case SetAside:
		p.view.files[s.File] = nil
	case TakeCopy, JoinCopy, RebuildTable:
		if s.File != "" {
			p.view.files[s.File] = nil
		}
		p.view.files[s.target()] = s.new
	}
	delete(p.judged, s.File)
	delete(p.judged, s.target())
	p.plan.Steps = append(p.plan.Steps, s)
}

// leave notes what cannot be healed, once for each file or segment. It reports
// whether it is new.
func (p *planner) leave(what string, f integrity.Finding) bool {
	if p.tried[what] {
		return false
	}
	p.tried[what] = true
	if f.Next == "" {
		f.Next = integrity.RepairFromCopy
		if p.from != nil {
			f.Next = integrity.SalvageRest
		}
	}
	p.plan.Left = append(p.plan.Left, f)
	return true
}

func (p *planner) note(file, format string, args ...any) {
	n := integrity.Note{File: file, Text: fmt.Sprintf(format, args...)}
	if !slices.Contains(p.plan.Notes, n) {
		p.plan.Notes = append(p.plan.Notes, n)
	}
}

// modes gives files the modes that they should have.
func (p *planner) modes() {
	s, err := p.look()
	if err != nil {
		return // verdict returns the error
	}
	for _, e := range s.Own {
		want := fs.FileMode(0o600)
		if e.Sealed {
			want = 0o400
		}
		c := p.view.of(e.Name)
		if c == nil || c.mode.Perm() == want {
			continue
		}
		p.step(Step{Action: SetMode, File: e.Name, Segment: e.Header.Ref,
			Reason: fmt.Sprintf("mode %04o where %04o is due", c.mode.Perm(), want), new: &content{mode: want}})
	}
}

// verdict judges the folder as it will be by the code that opens a store.
func (p *planner) verdict() error {
	s, err := integrity.Survey(p.view)
	var st *integrity.State
	if err == nil {
		h := vfs.NewHandles(p.view.Open, vfs.KeepFew)
		st, err = s.Resolve(integrity.ResolveOptions{Level: integrity.Log, Open: func(e *integrity.Entry) (integrity.Source, error) { return e.Open(p.view, h) }})
	}
	if vfs.IsTooManyFiles(err) { // which is nothing of the store
		return err
	}
	if err != nil {
		if len(p.plan.Left) == 0 {
			p.leave("", p.finding(err))
		}
		return nil
	}
	defer st.Close()
	e, reason, at := st.Newest, st.V.Torn, st.V.End
	if st.Next != nil && st.Next.Size > 0 && !st.Lost {
		e, reason, at = st.Next, "the first write to the log is not whole", 0
	}
	if reason != "" {
		p.step(Step{Action: CutTail, File: e.Name, Segment: st.Newest.Header.Ref,
			Reason: fmt.Sprintf("torn at offset %d, and nothing behind that was acknowledged: %s", at, reason)})
	} else if !st.Clean && st.Why != "" && !st.Lost {
		p.note(e.Name, "%s; the next open for writing begins a new timeline", st.Why)
	}
	return nil
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
	} else if p.healShortLog(l, j.v) {
		return true, nil
	}
	if again, err := p.healLaterLogs(s, l, j.v); again || err != nil {
		return again, err
	}
	return p.healSet(s, l, j.v)
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
