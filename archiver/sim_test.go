package archiver

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

	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// simUUID is the store of the simulations.
var simUUID = segment.UUID{0xab, 6: 0x40, 8: 0x80, 15: 1}

// simTarget is a target in memory that counts what is asked of it, keeps names in
// order so that a listing of 100,000 is quick, and has a clock.
type simTarget struct {
	now func() time.Time

	mu      sync.Mutex
	objects map[string]simObject
	sorted  []string       // of objects; nil: to be made
	count   map[string]int // requests by kind
	before  func(op, name string)
}

type simObject struct {
	b        []byte
	modified time.Time
}

func newSimTarget(now func() time.Time) *simTarget {
	return &simTarget{now: now, objects: map[string]simObject{}, count: map[string]int{}}
}

func (s *simTarget) did(op, name string) {
	if s.before != nil {
		s.before(op, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[op]++
}

func (s *simTarget) look(name string) (simObject, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[name]
	return o, ok
}

func (s *simTarget) URL() string { return "sim://archive" }

func (s *simTarget) Put(_ context.Context, name string, r io.ReaderAt, size int64, sum [32]byte) error {
	s.did("put", name)
	b, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil || sha256.Sum256(b) != sum {
		return errors.Join(err, errors.New("wrong sum"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.objects[name]; ok {
		return ErrExists
	}
	s.objects[name] = simObject{b, s.now()}
	s.sorted = nil
	return nil
}

func (s *simTarget) Stat(_ context.Context, name string) (Info, error) {
	s.did("stat", name)
	o, ok := s.look(name)
	if !ok {
		return Info{}, fmt.Errorf("stat %s: %w", name, ErrNotExist)
	}
	return Info{Name: name, Size: int64(len(o.b)), SHA256: sha256.Sum256(o.b), Modified: o.modified}, nil
}

func (s *simTarget) Sum(ctx context.Context, name string) (Info, error) { return s.Stat(ctx, name) }

func (s *simTarget) Open(_ context.Context, name string, off, n int64) (io.ReadCloser, error) {
	s.did("open", name)
	o, ok := s.look(name)
	if !ok {
		return nil, fmt.Errorf("open %s: %w", name, ErrNotExist)
	}
	b := o.b[min(off, int64(len(o.b))):]
	if n >= 0 {
		b = b[:min(n, int64(len(b)))]
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// listPage is how many names a listing gets for one request.
const listPage = 1000

func (s *simTarget) List(_ context.Context, prefix, after string) iter.Seq2[Info, error] {
	s.mu.Lock()
	if s.sorted == nil {
		for name := range s.objects {
			s.sorted = append(s.sorted, name)
		}
		slices.Sort(s.sorted)
	}
	names := s.sorted
	s.mu.Unlock()
	return func(yield func(Info, error) bool) {
		i, _ := slices.BinarySearch(names, max(prefix, after))
		n := 0
		for _, name := range names[i:] {
			if name > prefix && !strings.HasPrefix(name, prefix) {
				break
			}
			if name <= after {
				continue
			}
			if n++; n%listPage == 1 {
				s.did("list", name)
			}
			o, ok := s.look(name)
			if ok && !yield(Info{Name: name, Size: int64(len(o.b)), Modified: o.modified}, nil) {
				return
			}
		}
		if n == 0 {
			s.did("list", prefix)
		}
	}
}

func (s *simTarget) Delete(_ context.Context, name string) error {
	s.did("delete", name)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, name)
	s.sorted = nil
	return nil
}

func (s *simTarget) Probe(context.Context) error { return nil }

// simArchive returns an archive with an identity over a target.
func simArchive(t testing.TB, target Target) *Archive {
	t.Helper()
	_, err := Init(t.Context(), target)
	testkit.Must(t, err)
	a, err := OpenArchive(t.Context(), target)
	testkit.Must(t, err)
	return a
}

// put stores bytes under a name.
func (s *simTarget) put(t testing.TB, name string, b []byte) {
	t.Helper()
	testkit.Must(t, s.Put(t.Context(), name, bytes.NewReader(b), int64(len(b)), sha256.Sum256(b)))
}

// simSegment returns a sealed segment with n puts: of a log from the header's first
// sequence number on and with the edits, one commit each; of an output with the
// numbers before.
func simSegment(t testing.TB, h *segment.Header, n int, edits []segment.EditSet) []byte {
	t.Helper()
	testkit.Must(t, h.Check())
	b := h.Append(nil)
	p := h.Place()
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

// simWriter is a copy of a store that is being written to.
type simWriter struct {
	t       testing.TB
	chain   []*simLog // the sealed logs of its history, the oldest first
	hdr     *segment.Header
	puts    int // in the running log
	edits   []segment.EditSet
	live    []segment.Ref // of sealed segments
	retired []segment.Ref
	nextID  segment.ID
	outputs []simOutput // not adopted yet
	toShip  map[segment.Ref][]byte
}

type simOutput struct {
	ref    segment.Ref
	retire []segment.Ref
	made   time.Time
}

// simLog is a sealed log of a chain.
type simLog struct {
	hdr *segment.Header
	end int64 // ns: nothing was committed later
	seq uint64
}

// newSimWriter begins a store.
func newSimWriter(t testing.TB, line segment.Timeline, now time.Time) *simWriter {
	return &simWriter{t: t, nextID: 2, toShip: map[segment.Ref][]byte{}, hdr: &segment.Header{
		Head: segment.Head{Kind: segment.Log, UUID: simUUID, Ref: segment.Ref{Timeline: line, ID: 1}, FirstSeq: 1, Time: now.UnixNano()}}}
}

func (w *simWriter) line() segment.Timeline { return w.hdr.Ref.Timeline }

func (w *simWriter) seq() uint64 { return w.hdr.FirstSeq + uint64(w.puts) }

// roll seals the running log and begins the next.
func (w *simWriter) roll(now time.Time) {
	h := w.hdr
	h.NextID = w.nextID
	w.toShip[h.Ref] = simSegment(w.t, h, w.puts, w.edits)
	end := max(now.UnixNano(), h.Time+int64(w.puts+len(w.edits))+1)
	w.chain = append(slices.Clone(w.chain), &simLog{h, end, w.seq() - 1})
	w.live = sortedRefs(append(w.live, h.Ref))
	w.hdr = &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: simUUID, Ref: segment.Ref{Timeline: h.Ref.Timeline, ID: w.nextID},
		FirstSeq: w.seq(), Time: end, Parent: h.Parent, ParentSeq: h.ParentSeq, NextID: w.nextID + 1},
		Live: segment.SetOf(w.live...), Retired: segment.SetOf(w.retired...)}
	w.nextID++
	w.puts, w.edits = 0, nil
}

// compact makes an output of some live segments; adopt makes it one of the store.
func (w *simWriter) compact(retire []segment.Ref, now time.Time) {
	ref := segment.Ref{Timeline: w.line(), ID: w.nextID}
	w.nextID++
	h := &segment.Header{Head: segment.Head{Kind: segment.Output, UUID: simUUID, Ref: ref, FirstSeq: 1, Time: now.UnixNano()}}
	w.toShip[ref] = simSegment(w.t, h, 1, nil)
	w.outputs = append(w.outputs, simOutput{ref, retire, now})
}

func (w *simWriter) adopt() {
	for _, o := range w.outputs {
		w.edits = append(w.edits, segment.EditSet{Retire: o.retire, Adopt: []segment.Ref{o.ref}})
		w.live = sortedRefs(append(lessRefs(w.live, o.retire), o.ref))
		w.retired = sortedRefs(append(w.retired, o.retire...))
	}
	w.outputs = nil
}

// tidy unlinks what was retired.
func (w *simWriter) tidy() { w.retired = nil }

// crash ends the writer without a seal, and begins a timeline where it was: the
// running log is written anew, what was not adopted is retired.
func (w *simWriter) crash(line segment.Timeline, now time.Time) *simWriter {
	old := w.hdr
	n := &simWriter{t: w.t, chain: w.chain, puts: w.puts, live: slices.Clone(w.live), retired: slices.Clone(w.retired),
		nextID: w.nextID + 1, toShip: w.toShip}
	for _, o := range w.outputs {
		n.retired = sortedRefs(append(n.retired, o.ref))
	}
	n.hdr = &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: simUUID, Ref: segment.Ref{Timeline: line, ID: w.nextID}, FirstSeq: old.FirstSeq,
		Time: now.UnixNano(), Parent: old.Ref, ParentSeq: w.seq() - 1, Replaced: old.Ref, NextID: n.nextID},
		Live: segment.SetOf(n.live...), Retired: segment.SetOf(n.retired...)}
	return n
}

// restored returns a writer on a new timeline, after the k-th log of a chain.
func (w *simWriter) restored(k int, line segment.Timeline, nextID segment.ID, now time.Time) *simWriter {
	l := w.chain[k]
	n := &simWriter{t: w.t, chain: slices.Clone(w.chain[:k+1]), live: sortedRefs(slices.Collect(l.hdr.Live.With(l.hdr.Ref).All())),
		nextID: nextID + 1, toShip: map[segment.Ref][]byte{}}
	n.hdr = &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: simUUID, Ref: segment.Ref{Timeline: line, ID: nextID}, FirstSeq: l.seq + 1,
		Time: now.UnixNano(), Parent: l.hdr.Ref, ParentSeq: l.seq, NextID: n.nextID}, Live: segment.SetOf(n.live...)}
	return n
}

// needs returns what the writer has use for: its live set, and outputs to come.
func (w *simWriter) needs() []segment.Ref {
	refs := slices.Clone(w.live)
	for _, o := range w.outputs {
		refs = append(refs, o.ref)
	}
	return refs
}

// restorable reports whether the points in the k-th log of a chain can be restored
// from what is there: from the live set of some log up to it, and all logs since.
func restorable(chain []*simLog, k int, have map[segment.Ref]bool) bool {
	for j := k; j >= 0 && have[chain[j].hdr.Ref]; j-- {
		if !slices.ContainsFunc(slices.Collect(chain[j].hdr.Live.All()), func(r segment.Ref) bool { return !have[r] }) {
			return true
		}
	}
	return false
}

func sortedRefs(refs []segment.Ref) []segment.Ref {
	return slices.Compact(slices.SortedFunc(slices.Values(refs), segment.Ref.Compare))
}

func lessRefs(refs, gone []segment.Ref) []segment.Ref {
	return slices.DeleteFunc(slices.Clone(refs), func(r segment.Ref) bool { return slices.Contains(gone, r) })
}

// segmentsThere returns the segments in a target.
func (s *simTarget) segmentsThere() map[segment.Ref]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := map[segment.Ref]bool{}
	for name := range s.objects {
		if _, ref, ext, ok := parseRefName(name); ok && ext == "seg" {
			have[ref] = true
		}
	}
	return have
}
