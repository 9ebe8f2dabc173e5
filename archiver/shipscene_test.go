package archiver

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt/receipttest"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// shipUUID and shipLine are the store and the timeline of the tests' segments.
var shipUUID = segment.UUID{0x51, 15: 0xac}

const shipLine = segment.Timeline(0x7e57)

// logBytes returns a log with n objects of the given size, whose bytes the seed
// decides; sealed, or as it is while it is written to.
func logBytes(t testing.TB, store segment.UUID, ref segment.Ref, first uint64, n, size int, at time.Time, sealed bool) []byte {
	t.Helper()
	h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: store, Ref: ref, FirstSeq: first, Time: at.UnixNano(), NextID: ref.ID + 1}}
	b := h.Append(nil)
	p := h.ChecksumSeed()
	rnd := rand.New(rand.NewPCG(uint64(ref.ID), uint64(ref.Timeline)))
	for i := range n {
		value := make([]byte, size)
		for i := range value {
			value[i] = byte(rnd.Uint32())
		}
		b = p.AppendRecord(b, int64(len(b)), &segment.Record{Kind: segment.Put, Flags: segment.FlagCommit | segment.FlagVouch,
			Seq: first + uint64(i), Time: at.UnixNano() + int64(i), Vouch: int64(len(b)), Key: fmt.Appendf(nil, "key %d", first+uint64(i)), Value: value, ValueSize: int64(size)})
	}
	if !sealed {
		return b
	}
	end := segment.Record{Kind: segment.End, Flags: segment.FlagCommit | segment.FlagVouch, Seq: first + uint64(n),
		Time: at.UnixNano() + int64(n), Vouch: int64(len(b))}
	end.SetEnd(segment.Ref{Timeline: ref.Timeline, ID: ref.ID + 1})
	b = p.AppendRecord(b, int64(len(b)), &end)
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	testkit.Must(t, err)
	footer, _, err := r.Seal(int64(len(b)))
	testkit.Must(t, err)
	return append(b, footer...)
}

// shipScene is a store's folder with receipts, and targets in memory.
type shipScene struct {
	t       testing.TB
	dir     string // of the store
	next    uint64 // sequence number
	targets []*memTarget
}

func newShipScene(t testing.TB, targets int) *shipScene {
	s := &shipScene{t: t, dir: t.TempDir(), next: 1}
	for i := range targets {
		m := newMemTarget(fmt.Sprintf("mem://%d", i))
		_, err := target.Init(t.Context(), m)
		testkit.Must(t, err)
		s.targets = append(s.targets, m)
	}
	return s
}

func shipRef(id int) segment.Ref { return segment.Ref{Timeline: shipLine, ID: segment.ID(id)} }

func (s *shipScene) path(id int) string {
	return filepath.Join(s.dir, segment.ID(id).String()+".seg")
}

// add puts segments with the given ids into the store.
func (s *shipScene) add(ids ...int) {
	s.t.Helper()
	for _, id := range ids {
		b := logBytes(s.t, shipUUID, shipRef(id), s.next, 3, 100, time.Unix(1e9, 0), true)
		s.next += 3
		testkit.Must(s.t, os.WriteFile(s.path(id), b, 0o400))
	}
}

func (s *shipScene) state() string { return ReceiptsDir(s.dir) }

func (s *shipScene) receipts() vfs.FS { return vfs.Dir(s.state()) }

// options are those of an archiver of the scene.
func (s *shipScene) options() Options {
	o := Options{Store: vfs.AsFS(vfs.Dir(s.dir)), Receipts: s.state()}
	for _, m := range s.targets {
		o.Targets = append(o.Targets, m)
	}
	return o
}

// asIfWhole is opens for the segments of a scene, which are no whole store.
func asIfWhole(fs.FS) error { return nil }

func (s *shipScene) archiver(o Options) *Archiver {
	s.t.Helper()
	a, err := New(o)
	testkit.Must(s.t, err)
	a.standing.opens = asIfWhole
	return a
}

// check wants all segments but the given ones at a target, byte for byte, each put
// once, with its receipt.
func (s *shipScene) check(m *memTarget, without ...int) {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "*.seg"))
	testkit.Must(s.t, err)
	id, err := target.Identify(s.t.Context(), m)
	testkit.Must(s.t, err)
	receipts := receipttest.OpenReceipts(s.t, s.receipts())
	want := map[string]bool{target.IdentityName: true, target.ReserveName: true}
	for _, file := range files {
		b, err := os.ReadFile(file)
		testkit.Must(s.t, err)
		n, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(file), ".seg"))
		testkit.Must(s.t, err)
		ref := shipRef(n)
		name := archive.SegmentName(shipUUID, ref)
		got, there := m.get(name)
		if slices.Contains(without, n) {
			if has, err := receipts.Has(id.ID, ref); there || has || err != nil {
				s.t.Errorf("%s: segment %d should not be there: object %v, receipt %v, %v", m.url, n, there, has, err)
			}
			continue
		}
		want[name] = true
		if !bytes.Equal(got, b) {
			s.t.Errorf("%s: segment %d: %d bytes, want %d", m.url, n, len(got), len(b))
		}
		r, ok, err := receipts.Get(id.ID, ref)
		if !ok || err != nil || r.Size != int64(len(b)) || r.SHA256 != segment.Digest(sha256.Sum256(b)) || r.Object != name {
			s.t.Errorf("%s: receipt of segment %d, %v: %+v, %v", m.url, n, ok, r, err)
		}
	}
	for _, name := range m.names() {
		if !want[name] {
			s.t.Errorf("%s: %s should not be there", m.url, name)
		}
	}
	if m.stored() > len(want) {
		s.t.Errorf("%s: %d objects were stored, want %d", m.url, m.stored(), len(want))
	}
}

// memTarget is a target in memory, to the contract, with calls that fail.
type memTarget struct {
	url string

	mu      sync.Mutex
	objects map[string][]byte
	made    int // objects that were ever stored
	before  func(ctx context.Context, op, name string) error
	after   func(op, name string) error // its error is the lost answer
}

func newMemTarget(url string) *memTarget {
	return &memTarget{url: url, objects: map[string][]byte{}}
}

func (m *memTarget) hook(before func(ctx context.Context, op, name string) error, after func(op, name string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before, m.after = before, after
}

func (m *memTarget) get(name string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.objects[name]
	return b, ok
}

func (m *memTarget) set(name string, b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[name] = b
}

func (m *memTarget) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.objects))
}

func (m *memTarget) stored() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.made
}

// call runs fn between the hooks.
func (m *memTarget) call(ctx context.Context, op, name string, fn func() error) error {
	m.mu.Lock()
	before, after := m.before, m.after
	m.mu.Unlock()
	if before != nil {
		if err := before(ctx, op, name); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	err := fn()
	m.mu.Unlock()
	if err == nil && after != nil {
		err = after(op, name)
	}
	return err
}

func (m *memTarget) URL() string { return m.url }

func (m *memTarget) Put(ctx context.Context, name string, r io.ReaderAt, size int64, sum [32]byte) error {
	b, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil {
		return err
	}
	if int64(len(b)) != size || sha256.Sum256(b) != sum {
		return errors.New("content with another sum")
	}
	return m.call(ctx, "put", name, func() error {
		if _, ok := m.objects[name]; ok {
			return target.ErrExists
		}
		m.objects[name] = b
		m.made++
		return nil
	})
}

func (m *memTarget) Stat(ctx context.Context, name string) (target.Info, error) {
	return m.Sum(ctx, name)
}

func (m *memTarget) Sum(ctx context.Context, name string) (info target.Info, err error) {
	err = m.call(ctx, "sum", name, func() error {
		b, ok := m.objects[name]
		if !ok {
			return target.ErrNotExist
		}
		info = target.Info{Name: name, Size: int64(len(b)), SHA256: sha256.Sum256(b)}
		return nil
	})
	return info, err
}

func (m *memTarget) Open(ctx context.Context, name string, off, n int64) (r io.ReadCloser, err error) {
	err = m.call(ctx, "open", name, func() error {
		b, ok := m.objects[name]
		if !ok {
			return target.ErrNotExist
		}
		b = b[min(off, int64(len(b))):]
		if n >= 0 {
			b = b[:min(n, int64(len(b)))]
		}
		r = io.NopCloser(bytes.NewReader(b))
		return nil
	})
	return r, err
}

func (m *memTarget) List(ctx context.Context, prefix, after string) iter.Seq2[target.Info, error] {
	return func(yield func(target.Info, error) bool) {
		for _, name := range m.names() {
			if !strings.HasPrefix(name, prefix) || cmp.Compare(name, after) <= 0 {
				continue
			}
			info, err := m.Sum(ctx, name)
			if !yield(info, err) || err != nil {
				return
			}
		}
	}
}

func (m *memTarget) Delete(ctx context.Context, name string) error {
	return m.call(ctx, "delete", name, func() error {
		delete(m.objects, name)
		return nil
	})
}

func (m *memTarget) Probe(ctx context.Context) error {
	return m.call(ctx, "probe", "", func() error { return nil })
}
