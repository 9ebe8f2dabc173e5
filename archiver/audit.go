package archiver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// AuditOptions say what is audited. Store, Receipts and Archive must be given.
type AuditOptions struct {
	Store    fs.FS    // the store's folder
	Receipts vfs.FS   // the folder of receipts
	Archive  *Archive // where the segments were shipped to

	Data     bool          // read every byte of the objects and of the store's segments
	Parallel int           // objects that are looked at at a time; zero: 8
	OnRead   func(n int64) // with Data: called for bytes read from the archive, from several goroutines; may be nil
}

// AuditReport is what an audit found. Without findings it is proven that each sealed
// segment that the store ever named was stored exactly once.
type AuditReport struct {
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
	Findings []AuditFinding   `json:"findings"`                // in order of the segments
	Tips     []AuditTip       `json:"tips"`                    // what else of the store is there, in order of timeline
	Notes    []string         `json:"notes"`

	// Broken is why the store does not open for writing; empty: it does.
	Broken string `json:"broken,omitempty"`
}

// AuditFinding is something that is not as exactly once demands.
type AuditFinding struct {
	Kind    string      `json:"kind"`
	Segment segment.Ref `json:"segment"`
	Problem string      `json:"problem"`
	Next    string      `json:"next"` // what to do
}

// The kinds of findings.
const (
	AuditUnshipped  = "not shipped"        // it is in the store only
	AuditLost       = "object is lost"     // its receipt says that it was there
	AuditMissing    = "segment is missing" // it is nowhere
	AuditNoReceipt  = "no receipt"         // of an object that is there
	AuditBadReceipt = "damaged receipt"
	AuditDiffers    = "object differs" // from its receipt
	AuditDamaged    = "object is damaged"
	AuditLocal      = "segment differs" // the store's, from its receipt
	AuditExtra      = "extra object"    // nothing on the chain names it
	AuditStray      = "stray receipt"   // likewise
	AuditSequence   = "gap in the sequence"
	AuditGivenUp    = "given up" // by a prune, and the store still needs it
)

// AuditTip is a history in the archive that is not that of the store: of a copy that
// was written to, or what a restore to an earlier point left behind.
type AuditTip struct {
	Timeline segment.Timeline `json:"timeline"`
	First    segment.ID       `json:"first"` // of its segments that are not on the store's chain
	Last     segment.ID       `json:"last"`
	Segments int              `json:"segments"`
	Bytes    int64            `json:"bytes"`
}

// Audit proves that every sealed segment of the store was stored exactly once, or
// finds where not. It takes the store's word and the archive's, which must agree: the
// names in the headers of all logs on the store's chain, the receipts, the objects.
// It changes nothing and works beside writers and archivers, whose newest segments may
// then be findings. The error is that of the store or the target, not a finding.
func Audit(ctx context.Context, o AuditOptions) (*AuditReport, error) {
	receipts, err := OpenReceipts(o.Receipts)
	if err != nil {
		return nil, err
	}
	d := &auditor{o: o, a: o.Archive, source: NewSource(o.Store), receipts: receipts, rep: &AuditReport{
		URL: o.Archive.target.URL(), ID: o.Archive.ident.ID, Level: "hash",
		Findings: []AuditFinding{}, Tips: []AuditTip{}, Notes: []string{},
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
	if err := opens(o.Store); err != nil {
		d.rep.Broken = err.Error()
	}
	slices.SortFunc(d.rep.Findings, func(x, y AuditFinding) int {
		return cmp.Or(x.Segment.Compare(y.Segment), cmp.Compare(x.Kind, y.Kind))
	})
	return d.rep, nil
}

// auditor is one audit.
type auditor struct {
	o        AuditOptions
	a        *Archive
	source   *Source
	receipts *Receipts
	store    segment.UUID

	local    map[segment.Ref]Sealed // in the store
	unsealed map[segment.ID]bool    // logs in the store, by name
	waiting  map[segment.Ref]bool   // those of them that a newer one follows: they wait for their seal
	needed   refSet                 // the store's newest state
	newest   *segment.Header        // the store's newest log
	open     bool                   // which is not sealed
	edits    []segment.EditSet      // in it, if so
	objects  map[segment.Ref]Stored
	gone     map[segment.Ref]bool
	gaps     map[segment.Ref]bool
	noted    map[segment.Ref]Receipt
	spoiled  map[segment.Ref]error // receipts that cannot be read

	reach   map[segment.Timeline]segment.ID // the chain: of each timeline, up to which id
	named   refSet                          // by live sets and edits on the chain
	retired refSet                          // named as retired
	headers map[segment.Ref]*segment.Head   // of the chain's segments
	lost    map[segment.Ref]bool            // findings that explain a gap in the sequence

	mu  sync.Mutex // guards what follows, while several goroutines look
	rep *AuditReport
}

// find adds a finding.
func (d *auditor) find(kind string, ref segment.Ref, next, format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rep.Findings = append(d.rep.Findings, AuditFinding{kind, ref, fmt.Sprintf(format, args...), next})
}

func (d *auditor) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rep.Notes = append(d.rep.Notes, fmt.Sprintf(format, args...))
}

// others lists what is in the archive beside the chain.
func (d *auditor) others() {
	tips := map[segment.Timeline]*AuditTip{}
	for _, ref := range slices.SortedFunc(maps.Keys(d.objects), segment.Ref.Compare) {
		if d.onChain(ref) {
			continue
		}
		t := tips[ref.Timeline]
		if t == nil {
			t = &AuditTip{Timeline: ref.Timeline, First: ref.ID}
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

// ErrNoReason is returned by AcceptGap without a reason.
var ErrNoReason = errors.New("a gap is accepted with a reason, for those who come after")

// AcceptGap says that a segment is missing for good, and why: a marker in the archive, so
// that audits find it no more. A segment that is there is no gap: the error wraps
// ErrExists. A gap that was accepted before stays as it was.
func (a *Archive) AcceptGap(ctx context.Context, store segment.UUID, ref segment.Ref, reason string) error {
	if reason == "" {
		return ErrNoReason
	}
	if err := checkText("the reason", reason); err != nil {
		return err
	}
	name := segmentName(store, ref)
	_, err := a.target.Stat(ctx, name)
	if err == nil {
		return fmt.Errorf("%s: %w: there is no gap", a.at(name), ErrExists)
	}
	if !errors.Is(err, ErrNotExist) {
		return err
	}
	return a.putMarker(ctx, refName(store, ref, "gap"), &Marker{Why: reason})
}
