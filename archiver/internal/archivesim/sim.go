package archivesim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// UUID is the store of the simulations.
var UUID = segment.UUID{0xab, 6: 0x40, 8: 0x80, 15: 1}

// Target is a target in memory that counts what is asked of it, keeps names in
// order so that a listing of 100,000 is quick, and has a clock.
type Target struct {
	Now func() time.Time

	mu      sync.Mutex
	Objects map[string]Object
	Sorted  []string       // of objects; nil: to be made
	Count   map[string]int // requests by kind
	Before  func(op, name string)
}

// Object is what a Target holds under a name.
type Object struct {
	B        []byte
	Modified time.Time
}

// NewTarget returns an empty target with a clock.
func NewTarget(now func() time.Time) *Target {
	return &Target{Now: now, Objects: map[string]Object{}, Count: map[string]int{}}
}

// Did counts an operation, and calls the hook before it.
func (s *Target) Did(op, name string) {
	if s.Before != nil {
		s.Before(op, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Count[op]++
}

// Look returns an object, if it is there.
func (s *Target) Look(name string) (Object, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.Objects[name]
	return o, ok
}

// URL implements target.Target.
func (s *Target) URL() string { return "sim://archive" }

// Put implements target.Target.
func (s *Target) Put(_ context.Context, name string, r io.ReaderAt, size int64, sum [32]byte) error {
	s.Did("put", name)
	b, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil || sha256.Sum256(b) != sum {
		return errors.Join(err, errors.New("wrong sum"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.Objects[name]; ok {
		return target.ErrExists
	}
	s.Objects[name] = Object{b, s.Now()}
	s.Sorted = nil
	return nil
}

// Stat implements target.Target.
func (s *Target) Stat(_ context.Context, name string) (target.Info, error) {
	s.Did("stat", name)
	o, ok := s.Look(name)
	if !ok {
		return target.Info{}, fmt.Errorf("stat %s: %w", name, target.ErrNotExist)
	}
	return target.Info{Name: name, Size: int64(len(o.B)), SHA256: sha256.Sum256(o.B), Modified: o.Modified}, nil
}

// Sum implements target.Target.
func (s *Target) Sum(ctx context.Context, name string) (target.Info, error) { return s.Stat(ctx, name) }

// Open implements target.Target.
func (s *Target) Open(_ context.Context, name string, off, n int64) (io.ReadCloser, error) {
	s.Did("open", name)
	o, ok := s.Look(name)
	if !ok {
		return nil, fmt.Errorf("open %s: %w", name, target.ErrNotExist)
	}
	b := o.B[min(off, int64(len(o.B))):]
	if n >= 0 {
		b = b[:min(n, int64(len(b)))]
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// ListPage is how many names a listing gets for one request.
const ListPage = 1000

// List implements target.Target.
func (s *Target) List(_ context.Context, prefix, after string) iter.Seq2[target.Info, error] {
	s.mu.Lock()
	if s.Sorted == nil {
		for name := range s.Objects {
			s.Sorted = append(s.Sorted, name)
		}
		slices.Sort(s.Sorted)
	}
	names := s.Sorted
	s.mu.Unlock()
	return func(yield func(target.Info, error) bool) {
		i, _ := slices.BinarySearch(names, max(prefix, after))
		n := 0
		for _, name := range names[i:] {
			if name > prefix && !strings.HasPrefix(name, prefix) {
				break
			}
			if name <= after {
				continue
			}
			if n++; n%ListPage == 1 {
				s.Did("list", name)
			}
			o, ok := s.Look(name)
			if ok && !yield(target.Info{Name: name, Size: int64(len(o.B)), Modified: o.Modified}, nil) {
				return
			}
		}
		if n == 0 {
			s.Did("list", prefix)
		}
	}
}

// Delete implements target.Target.
func (s *Target) Delete(_ context.Context, name string) error {
	s.Did("delete", name)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.Objects, name)
	s.Sorted = nil
	return nil
}

// Probe implements target.Target.
func (s *Target) Probe(context.Context) error { return nil }

// Open returns an archive with an identity over a target.
func Open(t testing.TB, to target.Target) *archive.Archive {
	t.Helper()
	_, err := target.Init(t.Context(), to)
	testkit.Must(t, err)
	a, err := archive.Open(t.Context(), to)
	testkit.Must(t, err)
	return a
}

// Plant stores bytes under a name.
func (s *Target) Plant(t testing.TB, name string, b []byte) {
	t.Helper()
	testkit.Must(t, s.Put(t.Context(), name, bytes.NewReader(b), int64(len(b)), sha256.Sum256(b)))
}

// Segment returns a sealed segment with n puts: of a log from the header's first
// sequence number on and with the edits, one commit each; of an output with the
// numbers before.
func Segment(t testing.TB, h *segment.Header, n int, edits []segment.EditSet) []byte {
	t.Helper()
	testkit.Must(t, h.Check())
	b := h.Append(nil)
	p := h.ChecksumSeed()
	at, seq := h.Time, h.FirstSeq
	add := func(r segment.Record) {
		if h.Kind == segment.Log {
			at++
			r.Flags, r.Time, r.Vouch = segment.FlagCommit|segment.FlagVouch, at, int64(len(b))
		}
		r.Seq = seq
		b = p.AppendRecord(b, int64(len(b)), &r)
	}
	for i := range n {
		v := []byte("value")
		add(segment.Record{Kind: segment.Put, Key: fmt.Appendf(nil, "%08d", int(h.FirstSeq)+i), Value: v, ValueSize: int64(len(v))})
		seq++
	}
	for _, e := range edits {
		r := segment.Record{Kind: segment.Edit}
		r.SetEdit(e)
		add(r)
	}
	if h.Kind == segment.Log {
		r := segment.Record{Kind: segment.End}
		r.SetEnd(segment.Ref{Timeline: h.Ref.Timeline, ID: h.NextID})
		add(r)
	}
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	testkit.Must(t, err)
	footer, _, err := r.Seal(int64(len(b)))
	testkit.Must(t, err)
	return append(b, footer...)
}

// Writer is a copy of a store that is being written to.
type Writer struct {
	t       testing.TB
	Chain   []*Log // the sealed logs of its history, the oldest first
	Hdr     *segment.Header
	Puts    int // in the running log
	edits   []segment.EditSet
	Live    []segment.Ref // of sealed segments
	retired []segment.Ref
	NextID  segment.ID
	Outputs []Output // not adopted yet
	ToShip  map[segment.Ref][]byte
}

// Output is a segment that compaction made.
type Output struct {
	ref    segment.Ref
	Retire []segment.Ref
	made   time.Time
}

// Log is a sealed log of a chain.
type Log struct {
	Hdr *segment.Header
	End int64 // ns: nothing was committed later
	Seq uint64
}

// NewWriter begins a store.
func NewWriter(t testing.TB, line segment.Timeline, now time.Time) *Writer {
	return &Writer{t: t, NextID: 2, ToShip: map[segment.Ref][]byte{}, Hdr: &segment.Header{
		Head: segment.Head{Kind: segment.Log, UUID: UUID, Ref: segment.Ref{Timeline: line, ID: 1}, FirstSeq: 1, Time: now.UnixNano()}}}
}

// Line is the timeline of the newest log.
func (w *Writer) Line() segment.Timeline { return w.Hdr.Ref.Timeline }

func (w *Writer) seq() uint64 { return w.Hdr.FirstSeq + uint64(w.Puts) }

// Roll seals the running log and begins the next.
func (w *Writer) Roll(now time.Time) {
	h := w.Hdr
	h.NextID = w.NextID
	w.ToShip[h.Ref] = Segment(w.t, h, w.Puts, w.edits)
	end := max(now.UnixNano(), h.Time+int64(w.Puts+len(w.edits))+1)
	w.Chain = append(slices.Clone(w.Chain), &Log{h, end, w.seq() - 1})
	w.Live = SortedRefs(append(w.Live, h.Ref))
	w.Hdr = &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: UUID, Ref: segment.Ref{Timeline: h.Ref.Timeline, ID: w.NextID},
		FirstSeq: w.seq(), Time: end, Parent: h.Parent, ParentSeq: h.ParentSeq, NextID: w.NextID + 1},
		Live: segment.SetOf(w.Live...), Retired: segment.SetOf(w.retired...)}
	w.NextID++
	w.Puts, w.edits = 0, nil
}

// Compact makes an output of some live segments; adopt makes it one of the store.
func (w *Writer) Compact(retire []segment.Ref, now time.Time) {
	ref := segment.Ref{Timeline: w.Line(), ID: w.NextID}
	w.NextID++
	h := &segment.Header{Head: segment.Head{Kind: segment.Output, UUID: UUID, Ref: ref, FirstSeq: 1, Time: now.UnixNano()}}
	w.ToShip[ref] = Segment(w.t, h, 1, nil)
	w.Outputs = append(w.Outputs, Output{ref, retire, now})
}

// Adopt has the running log adopt the outputs.
func (w *Writer) Adopt() {
	for _, o := range w.Outputs {
		w.edits = append(w.edits, segment.EditSet{Retire: o.Retire, Adopt: []segment.Ref{o.ref}})
		w.Live = SortedRefs(append(LessRefs(w.Live, o.Retire), o.ref))
		w.retired = SortedRefs(append(w.retired, o.Retire...))
	}
	w.Outputs = nil
}

// Tidy unlinks what was retired.
func (w *Writer) Tidy() { w.retired = nil }

// Crash ends the writer without a seal, and begins a timeline where it was: the
// running log is written anew, what was not adopted is retired.
func (w *Writer) Crash(line segment.Timeline, now time.Time) *Writer {
	old := w.Hdr
	n := &Writer{t: w.t, Chain: w.Chain, Puts: w.Puts, Live: slices.Clone(w.Live), retired: slices.Clone(w.retired),
		NextID: w.NextID + 1, ToShip: w.ToShip}
	for _, o := range w.Outputs {
		n.retired = SortedRefs(append(n.retired, o.ref))
	}
	n.Hdr = &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: UUID, Ref: segment.Ref{Timeline: line, ID: w.NextID}, FirstSeq: old.FirstSeq,
		Time: now.UnixNano(), Parent: old.Ref, ParentSeq: w.seq() - 1, Replaced: old.Ref, NextID: n.NextID},
		Live: segment.SetOf(n.Live...), Retired: segment.SetOf(n.retired...)}
	return n
}

// Restored returns a writer on a new timeline, after the k-th log of a chain.
func (w *Writer) Restored(k int, line segment.Timeline, nextID segment.ID, now time.Time) *Writer {
	l := w.Chain[k]
	n := &Writer{t: w.t, Chain: slices.Clone(w.Chain[:k+1]), Live: SortedRefs(slices.Collect(l.Hdr.Live.With(l.Hdr.Ref).All())),
		NextID: nextID + 1, ToShip: map[segment.Ref][]byte{}}
	n.Hdr = &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: UUID, Ref: segment.Ref{Timeline: line, ID: nextID}, FirstSeq: l.Seq + 1,
		Time: now.UnixNano(), Parent: l.Hdr.Ref, ParentSeq: l.Seq, NextID: n.NextID}, Live: segment.SetOf(n.Live...)}
	return n
}

// Needs returns what the writer needs: its live set, and outputs that are not adopted yet.
func (w *Writer) Needs() []segment.Ref {
	refs := slices.Clone(w.Live)
	for _, o := range w.Outputs {
		refs = append(refs, o.ref)
	}
	return refs
}

// Restorable reports whether the points in the k-th log of a chain can be restored
// from what is there: from the live set of some log up to it, and all logs since.
func Restorable(chain []*Log, k int, have map[segment.Ref]bool) bool {
	for j := k; j >= 0 && have[chain[j].Hdr.Ref]; j-- {
		if !slices.ContainsFunc(slices.Collect(chain[j].Hdr.Live.All()), func(r segment.Ref) bool { return !have[r] }) {
			return true
		}
	}
	return false
}

// SegmentsThere returns the segments in a target.
func (s *Target) SegmentsThere() map[segment.Ref]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := map[segment.Ref]bool{}
	for name := range s.Objects {
		if _, ref, ext, ok := archive.ParseRefName(name); ok && ext == "seg" {
			have[ref] = true
		}
	}
	return have
}
