package audit

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Options say what is audited. Store and Receipts must be given.
type Options struct {
	Store    fs.FS  // the store's folder
	Receipts string // the path of the folder of receipts: see archiver.Options

	Data   bool          // read every byte of the objects and of the store's segments
	OnRead func(n int64) // with Data: called for bytes read from the archive, from several goroutines; may be nil
}

// Report is what an audit found. Without findings it is proven that each sealed
// segment that the store ever named was stored exactly once.
type Report struct {
	URL      string           `json:"url"`
	ID       string           `json:"id"` // of the archive
	Store    segment.UUID     `json:"store"`
	Timeline segment.Timeline `json:"timeline"` // of the store's newest log
	Level    string           `json:"level"`    // what was compared: "hash" or "data"
	Segments int              `json:"segments"` // that the chain of the store names
	Objects  int              `json:"objects"`  // of these, in the archive
	Bytes    int64            `json:"bytes"`    // of the objects
	Receipts int              `json:"receipts"`
	Gone     int              `json:"gone"` // deleted by prune, which left a marker
	Gaps     int              `json:"gaps"` // missing, and accepted
	LastSeq  uint64           `json:"last_seq"`
	Complete time.Time        `json:"complete_until,omitzero"` // the newest heartbeat of the timeline: all that was committed by then was archived
	Findings []Finding        `json:"findings"`                // in order of the segments
	Tips     []archive.Tip    `json:"tips"`                    // what else of the store is there, in order of timeline
	Notes    []string         `json:"notes"`

	// Broken is why the store does not open for writing; empty: it does.
	Broken string `json:"broken,omitempty"`
}

// A Finding is a violation of the rule that each segment is stored exactly once.
type Finding struct {
	Kind    string         `json:"kind"`
	Segment segment.Ref    `json:"segment"`
	Problem string         `json:"problem"`
	Next    segment.Remedy `json:"next"`
	Gap     segment.Ref    `json:"gap,omitzero"` // with AcceptGap: the segment to accept
}

// The kinds of findings.
const (
	Unshipped  = "not shipped"        // it is in the store only
	Lost       = "object is lost"     // its receipt says that it was there
	Missing    = "segment is missing" // it is nowhere
	NoReceipt  = "no receipt"         // of an object that is there
	BadReceipt = "damaged receipt"
	Differs    = "object differs" // from its receipt
	Damaged    = "object is damaged"
	Local      = "segment differs" // the store's, from its receipt
	Extra      = "extra object"    // nothing on the chain names it
	Stray      = "stray receipt"   // likewise
	Sequence   = "gap in the sequence"
	GivenUp    = "given up" // by a prune, and the store still needs it
)

// Run proves that every sealed segment of the store was stored exactly once, or reports what was
// not. It compares what the store says with what the archive says: the names in the headers of
// all logs on the store's chain, the receipts, the objects. It changes nothing and works beside
// writers and archivers; their newest segments may then be findings. A finding is not an error:
// the error is the store's or the target's.
func Run(ctx context.Context, a *archive.Archive, o Options) (*Report, error) {
	receipts, err := receipt.Open(vfs.Dir(o.Receipts))
	if err != nil {
		return nil, err
	}
	d := &auditor{o: o, a: a, source: source.New(o.Store), receipts: receipts, rep: &Report{
		URL: a.Target().URL(), ID: a.Identity().ID, Level: "hash",
		Findings: []Finding{}, Tips: []archive.Tip{}, Notes: []string{},
	}}
	if o.Data {
		d.rep.Level = "data"
	}
	for _, step := range []func(context.Context) error{d.listStore, d.listArchive, d.listHeartbeats, d.listReceipts, d.follow, d.explain, d.compare, d.sequence} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	d.others()
	if err := source.CheckOpens(o.Store); err != nil {
		d.rep.Broken = err.Error()
	}
	slices.SortFunc(d.rep.Findings, func(x, y Finding) int {
		return cmp.Or(x.Segment.Compare(y.Segment), cmp.Compare(x.Kind, y.Kind))
	})
	return d.rep, nil
}

// auditor is one audit.
type auditor struct {
	o        Options
	a        *archive.Archive
	source   *source.Source
	receipts *receipt.Folder
	store    segment.UUID

	local    map[segment.Ref]source.Sealed // in the store
	unsealed map[segment.ID]bool           // logs in the store, by name
	waiting  map[segment.Ref]bool          // those of them that a newer one follows: they wait for their seal
	needed   segment.Set                   // the store's newest state
	newest   *segment.Header               // the store's newest log
	open     bool                          // which is not sealed
	edits    []segment.EditSet             // in it, if so
	objects  map[segment.Ref]archive.Stored
	gone     map[segment.Ref]bool
	gaps     map[segment.Ref]bool
	noted    map[segment.Ref]receipt.Receipt
	spoiled  map[segment.Ref]error // receipts that cannot be read

	reach   map[segment.Timeline]segment.ID // the chain: of each timeline, up to which id
	named   segment.Set                     // by live sets and edits on the chain
	retired segment.Set                     // named as retired
	headers map[segment.Ref]*segment.Head   // of the chain's segments
	lost    map[segment.Ref]bool            // findings that explain a gap in the sequence

	mu  sync.Mutex // guards what follows, while several goroutines look
	rep *Report
}

// find adds a finding.
func (d *auditor) find(kind string, ref segment.Ref, next segment.Remedy, format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := Finding{Kind: kind, Segment: ref, Problem: fmt.Sprintf(format, args...), Next: next}
	if next == AcceptGap {
		if f.Gap = ref; kind == Sequence {
			f.Gap.ID-- // the log before it is not there
		}
	}
	d.rep.Findings = append(d.rep.Findings, f)
}

func (d *auditor) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rep.Notes = append(d.rep.Notes, fmt.Sprintf(format, args...))
}

// others lists what is in the archive beside the chain.
func (d *auditor) others() {
	tips := map[segment.Timeline]*archive.Tip{}
	for _, ref := range slices.SortedFunc(maps.Keys(d.objects), segment.Ref.Compare) {
		if d.onChain(ref) {
			continue
		}
		t := tips[ref.Timeline]
		if t == nil {
			t = &archive.Tip{Timeline: ref.Timeline, First: ref.ID}
			tips[ref.Timeline] = t
		}
		t.Last = ref.ID
		t.Segments++
		t.Bytes += d.objects[ref].Size
	}
	for _, t := range slices.Sorted(maps.Keys(tips)) {
		d.rep.Tips = append(d.rep.Tips, *tips[t])
	}
}
