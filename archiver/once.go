package archiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/varve-db/varve/segment"
)

// Report is what Once did.
type Report struct {
	Store   segment.UUID   `json:"store"`
	Targets []TargetReport `json:"targets"`
	Damaged []Damaged      `json:"damaged"` // segments that were set aside
	Took    time.Duration  `json:"took_ns"`
}

// TargetReport is what Once did for one target.
type TargetReport struct {
	URL string `json:"url"`
	ID  string `json:"id,omitempty"` // of its identity
	Counts
	Left      int    `json:"left"` // segments not shipped
	LeftBytes int64  `json:"left_bytes"`
	Error     string `json:"error,omitempty"`

	Alarm *Alarm `json:"alarm,omitempty"`
	Err   error  `json:"-"` // what Error says
}

// ErrSetAside is wrapped by the error of Once for segments that were not shipped
// because they are damaged or cannot be read.
var ErrSetAside = errors.New("segments were set aside")

// Once has the log sealed, ships whatever a target lacks, and returns. If something
// could not be shipped the error says what and why, and wraps the target's,
// ErrSetAside for damage, and ErrBroken if the store does not open for writing; all else was
// shipped all the same. Where another archiver is at work on a target, it is an *AtWorkError,
// and nothing was done.
func (a *Archiver) Once(ctx context.Context) (_ Report, err error) {
	begun := time.Now()
	end, err := a.begins(false)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, end()) }()
	m := a.ask(ctx) // which seals, too, so the writer is not asked twice
	var sealed error
	if a.opt.Sealer != nil {
		sealed = a.seal(ctx, 0)
	}
	a.lookAt(m)
	if err := a.scan(); err != nil {
		return Report{}, errors.Join(sealed, err)
	}
	a.remember(m, a.newest())
	ended := <-a.begin(ctx, true)
	st := a.Status()
	r := Report{Store: st.Store, Targets: []TargetReport{}, Damaged: st.Damaged, Took: time.Since(begun)}
	for i, t := range st.Targets {
		e := TargetReport{URL: t.URL, ID: t.ID, Counts: t.Counts, Left: t.Segments, LeftBytes: t.Bytes}
		e.Alarm, e.Err = t.Alarm, ended[i]
		if ended[i] != nil {
			e.Error = ended[i].Error()
		}
		r.Targets = append(r.Targets, e)
	}
	a.mu.Lock()
	broken := a.broken
	a.mu.Unlock()
	if broken != nil {
		sealed = nil // it could not be sealed for the same reason
	}
	return r, errors.Join(sealed, errors.Join(ended...), a.damage(), broken)
}

// damage is the error for what was set aside, nil for nothing. Of several files it
// names the first.
func (a *Archiver) damage() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for name := range a.aside {
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil
	}
	first := slices.Min(names)
	return fmt.Errorf("%w: %d, not shipped as they are: %w", ErrSetAside, len(names), a.aside[first].err)
}
