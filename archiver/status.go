package archiver

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/segment"
)

// Status is how far shipping is. It is kept in status.json beside the receipts.
type Status struct {
	Format  int            `json:"format"` // 1
	Store   segment.UUID   `json:"store"`
	Written time.Time      `json:"written"`
	Targets []TargetStatus `json:"targets"`
	Damaged []Damaged      `json:"damaged"` // segments that were set aside
	Alarms  []Alarm        `json:"alarms"`  // of the store's side
	Drill   time.Time      `json:"last_drill,omitzero"`

	// Unsealed is the oldest log that holds objects and is not sealed, and how old the
	// oldest of them is. No target has them.
	Unsealed Lag `json:"unsealed,omitzero"`
}

// TargetStatus is how far shipping to one target is.
type TargetStatus struct {
	URL      string    `json:"url"`
	ID       string    `json:"id,omitempty"` // of its identity, when it was last reached; empty: never
	Looked   time.Time `json:"looked"`       // when this was found out
	Receipts int       `json:"receipts"`     // segments that it has
	Segments int       `json:"backlog_segments"`
	Bytes    int64     `json:"backlog_bytes"`
	Oldest   Lag       `json:"oldest_unshipped,omitzero"`
	Last     time.Time `json:"last_success,omitzero"` // a segment was shipped, or found there
	Error    string    `json:"error,omitempty"`       // of the last failure, if nothing succeeded since
	Alarm    *Alarm    `json:"alarm,omitempty"`
	Counts   Counts    `json:"counts"` // since the archiver began

	// Through is the moment up to which every commit is archived there: the time of the oldest
	// commit that is not or, where all are, of the last look at the store. Zero: not known.
	Through time.Time `json:"archived_through,omitzero"`

	Worker  *Worker `json:"archiver,omitempty"` // the one at work on the target, or the last one
	Running bool    `json:"running"`            // it is at work
}

// Lag is the segment that has been waiting longest. Its age is the age of its oldest commit,
// where that is known.
type Lag struct {
	Segment segment.Ref   `json:"segment"`
	Age     time.Duration `json:"age_ns"`
}

// Damaged is a segment file that is not shipped, since it is damaged or cannot be read.
type Damaged struct {
	File   string    `json:"file"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// Status returns how far shipping is now.
func (a *Archiver) Status() Status {
	s := Status{Format: statusFormat, Written: time.Now().UTC(), Damaged: []Damaged{}, Alarms: []Alarm{}, Targets: []TargetStatus{}}
	a.mu.Lock()
	looked, unsealed, worker, working := a.looked, a.unsealed, a.worker, a.working
	var skipped []segment.Ref
	for _, d := range a.skipped {
		skipped = append(skipped, d.seg.Ref)
	}
	a.mu.Unlock()
	if unsealed != nil {
		s.Unsealed = Lag{unsealed.Ref, unsealed.Age()}
		looked = earlier(looked, unsealed.First)
	}
	for _, l := range a.shippers {
		t := l.status(looked, skipped)
		t.Worker, t.Running = worker, working
		s.Targets = append(s.Targets, t)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s.Store, s.Drill = a.listing.Store, a.drill
	for name, d := range a.skipped {
		s.Damaged = append(s.Damaged, Damaged{File: name, Reason: d.err.Error(), Since: d.since})
	}
	slices.SortFunc(s.Damaged, func(x, y Damaged) int { return strings.Compare(x.File, y.File) })
	for _, k := range alarm.OfStore() {
		if t, ok := a.troubles[k]; ok {
			s.Alarms = append(s.Alarms, t)
		}
	}
	if n := len(s.Damaged); n > 0 {
		s.Alarms = append(s.Alarms, Alarm{Kind: alarm.Damaged, Since: s.Damaged[0].Since,
			Message: fmt.Sprintf("segment files that are not shipped as they are: %d; %s", n, s.Damaged[0].Reason)})
	}
	return s
}

// earlier is the earlier of t and a commit time in nanoseconds.
func earlier(t time.Time, commit int64) time.Time {
	if c := time.Unix(0, commit).UTC(); c.Before(t) {
		return c
	}
	return t
}

// status returns the shipper's status, where all commits up to looked are in sealed segments,
// but for those of segments that were set aside.
func (l *shipper) status(looked time.Time, skipped []segment.Ref) TargetStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	lacks := func(r segment.Ref) bool { _, ok := l.done[r]; return !ok }
	switch j := l.queue.first(); {
	case slices.ContainsFunc(skipped, lacks): // the times of its commits are unknown
	case j == nil:
		l.through = looked
	case j.first != 0:
		l.through = earlier(looked, j.first)
	}
	t := TargetStatus{URL: l.url, ID: cmp.Or(l.id.ID, l.was), Looked: time.Now().UTC(), Receipts: len(l.done),
		Segments: len(l.queue.jobs), Bytes: l.queue.bytes, Last: l.last, Through: l.through, Counts: l.counts}
	if j := l.queue.oldest(); j != nil {
		t.Oldest = Lag{j.ref, j.age()}
	}
	if l.lastErr != nil {
		t.Error = l.lastErr.Error()
	}
	if l.alarm == nil && l.pruned != nil {
		t.Alarm = &Alarm{Kind: alarm.GivenUp, Message: l.pruned.Error(), Since: l.prunedSince}
	}
	if l.alarm != nil {
		al := *l.alarm
		t.Alarm = &al
	}
	return t
}

// Health returns what is wrong, one sentence each: alarms, and a backlog older than
// Options.MaxLag. An empty result means healthy.
func (a *Archiver) Health() []string {
	s := a.Status()
	return s.Problems(a.opt.MaxLag)
}

// Problems returns what is wrong, one sentence each: alarms, archivers that died or hang, and
// what Late returns.
func (s *Status) Problems(maxLag time.Duration) []string {
	var out []string
	for _, a := range s.Alarms {
		out = append(out, fmt.Sprintf("%s: %s", a.Kind, a.Message))
	}
	for i := range s.Targets {
		t := &s.Targets[i]
		if p := t.Silent(); p != "" {
			out = append(out, fmt.Sprintf("%s: %s", t.URL, p))
		}
		if t.Alarm != nil {
			out = append(out, fmt.Sprintf("%s: %s for %v, segments that wait: %d; %s", t.URL, t.Alarm.Kind,
				max(0, time.Since(t.Alarm.Since)).Round(time.Second), t.Segments, strings.TrimPrefix(t.Alarm.Message, t.URL+": ")))
		}
	}
	return append(out, s.Late(maxLag)...)
}

// Late returns, one sentence each, what has not been archived for longer than maxLag. If
// maxLag is zero, it returns nothing.
func (s *Status) Late(maxLag time.Duration) (out []string) {
	if maxLag <= 0 {
		return nil
	}
	if age := s.Unsealed.Age; age > maxLag {
		out = append(out, fmt.Sprintf("log %v is not sealed, and commits of %v ago in it are not archived", s.Unsealed.Segment, age.Round(time.Second)))
	}
	for _, t := range s.Targets {
		if t.Oldest.Age > maxLag {
			out = append(out, fmt.Sprintf("%s: segment %v has been waiting for %v", t.URL, t.Oldest.Segment, t.Oldest.Age.Round(time.Second)))
		}
	}
	return out
}
