package archivetest

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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/inplace"
	"github.com/varve-db/varve/archiver/restore"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// Vault is a target in memory that counts what is read from it.
type Vault struct {
	Mu       sync.Mutex
	Objects  map[string][]byte
	ReadOnly bool
	Requests int
	Bytes    int64
	Opened   map[string]int // Open calls by name
}

// NewVault returns an empty target.
func NewVault() *Vault { return &Vault{Objects: map[string][]byte{}, Opened: map[string]int{}} }

// URL implements target.Target.
func (v *Vault) URL() string { return "mem://vault" }

// Get returns an object.
func (v *Vault) Get(name string) ([]byte, error) {
	v.Mu.Lock()
	defer v.Mu.Unlock()
	b, ok := v.Objects[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, target.ErrNotExist)
	}
	return b, nil
}

// Put implements target.Target.
func (v *Vault) Put(_ context.Context, name string, r io.ReaderAt, size int64, sum [32]byte) error {
	b := make([]byte, size)
	if n, err := r.ReadAt(b, 0); n < len(b) {
		return err
	}
	v.Mu.Lock()
	defer v.Mu.Unlock()
	switch _, there := v.Objects[name]; {
	case v.ReadOnly:
		return fmt.Errorf("%s: %w", name, target.ErrDenied)
	case there:
		return fmt.Errorf("%s: %w", name, target.ErrExists)
	case sha256.Sum256(b) != sum:
		return fmt.Errorf("%s: wrong sum", name)
	}
	v.Objects[name] = b
	return nil
}

// Stat implements target.Target.
func (v *Vault) Stat(_ context.Context, name string) (target.Info, error) {
	b, err := v.Get(name)
	return target.Info{Name: name, Size: int64(len(b))}, err
}

// Sum implements target.Target.
func (v *Vault) Sum(_ context.Context, name string) (target.Info, error) {
	b, err := v.Get(name)
	return target.Info{Name: name, Size: int64(len(b)), SHA256: sha256.Sum256(b)}, err
}

// Open implements target.Target.
func (v *Vault) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	b, err := v.Get(name)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	b = b[min(off, int64(len(b))):]
	if n >= 0 && n < int64(len(b)) {
		b = b[:n]
	}
	v.Mu.Lock()
	defer v.Mu.Unlock()
	v.Requests++
	v.Bytes += int64(len(b))
	v.Opened[name]++
	return io.NopCloser(bytes.NewReader(b)), nil
}

// List implements target.Target.
func (v *Vault) List(_ context.Context, prefix, after string) iter.Seq2[target.Info, error] {
	v.Mu.Lock()
	defer v.Mu.Unlock()
	v.Requests++
	var all []target.Info
	for name, b := range v.Objects {
		if strings.HasPrefix(name, prefix) && name > after {
			all = append(all, target.Info{Name: name, Size: int64(len(b))})
		}
	}
	slices.SortFunc(all, func(a, b target.Info) int { return cmp.Compare(a.Name, b.Name) })
	return func(yield func(target.Info, error) bool) {
		for _, i := range all {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// Delete implements target.Target.
func (v *Vault) Delete(_ context.Context, name string) error {
	v.Mu.Lock()
	defer v.Mu.Unlock()
	delete(v.Objects, name)
	return nil
}

// Probe implements target.Target.
func (v *Vault) Probe(context.Context) error { return nil }

// Reset forgets what was counted.
func (v *Vault) Reset() {
	v.Mu.Lock()
	defer v.Mu.Unlock()
	v.Requests, v.Bytes, v.Opened = 0, 0, map[string]int{}
}

// Names returns the names of the segments in the vault.
func (v *Vault) Names() []string {
	v.Mu.Lock()
	defer v.Mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(v.Objects)), func(n string) bool { return !strings.HasSuffix(n, ".seg") })
}

// Ship puts every sealed segment of a folder into the vault.
func (v *Vault) Ship(t testing.TB, dir string) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		v.add(t, b)
	}
}

// add puts one segment into the vault, under the name that its header gives it.
func (v *Vault) add(t testing.TB, b []byte) string {
	t.Helper()
	h, _, err := segment.ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	name := ObjectOf(h.UUID, h.Ref)
	v.Mu.Lock()
	defer v.Mu.Unlock()
	if old, there := v.Objects[name]; there && !bytes.Equal(old, b) {
		t.Fatalf("%s is there with other content", name)
	}
	v.Objects[name] = b
	return name
}

// ObjectOf is the name of a segment's object.
func ObjectOf(u segment.UUID, r segment.Ref) string {
	return fmt.Sprintf("%v/%v/%v.seg", u, r.Timeline, r.ID)
}

// Archive opens the vault as an archive.
func (v *Vault) Archive(t testing.TB) *archive.Archive {
	t.Helper()
	if _, err := target.Init(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Moment is a state that a store was in: after a commit.
type Moment struct {
	Seq  uint64
	At   time.Time // a moment between this commit and the next
	Want map[string]string
}

// Life is a store that is written to at random, and what it was at each commit.
type Life struct {
	T       testing.TB
	Rand    *rand.Rand
	Dir     string
	Options store.Options
	DB      *store.DB
	Now     map[string]string
	Seq     uint64
	Moments []Moment
	UUID    segment.UUID
}

// NewLife begins a store in a folder of the test.
func NewLife(t testing.TB, seed uint64) *Life {
	l := &Life{T: t, Rand: rand.New(rand.NewPCG(seed, 5)), Dir: filepath.Join(t.TempDir(), "store"), Now: map[string]string{}}
	l.Options = store.Options{SegmentSize: store.MinSegmentSize, Durability: store.SyncEvery(time.Second)}
	l.Open()
	l.UUID = l.DB.OpenReport().UUID
	return l
}

// Open opens the store.
func (l *Life) Open() {
	l.T.Helper()
	db, err := store.Open(l.Dir, &l.Options)
	if err != nil {
		l.T.Fatal(err)
	}
	l.DB = db
}

// Close closes the store.
func (l *Life) Close() {
	l.T.Helper()
	if err := l.DB.Close(); err != nil {
		l.T.Fatal(err)
	}
}

// CopyTo makes a copy of the closed store and goes on with it: a new timeline.
func (l *Life) CopyTo(dir string) {
	l.T.Helper()
	if err := os.CopyFS(dir, os.DirFS(l.Dir)); err != nil {
		l.T.Fatal(err)
	}
	l.Dir = dir
}

// CopyOpen copies the folder of the store while it is open: what a crash leaves, if
// all that was written reached the disk. Logs that ended are sealed in the background
// and renamed, so a copy counts only if the folder stood still while it was made.
func (l *Life) CopyOpen(dir string) {
	l.T.Helper()
	testkit.Must(l.T, l.DB.Sync())
	for range 1000 {
		before := l.files()
		err := os.CopyFS(dir, os.DirFS(l.Dir))
		if err == nil && maps.Equal(before, l.files()) {
			return
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.T.Fatal(err)
		}
		testkit.Must(l.T, os.RemoveAll(dir))
	}
	l.T.Fatal("the folder never stands still")
}

// files returns the size and time of every file in the folder.
func (l *Life) files() map[string]string {
	l.T.Helper()
	list, err := os.ReadDir(l.Dir)
	testkit.Must(l.T, err)
	all := map[string]string{}
	for _, e := range list {
		all[e.Name()] = "gone"
		if i, err := e.Info(); err == nil {
			all[e.Name()] = fmt.Sprint(i.Size(), i.ModTime(), i.Mode())
		}
	}
	return all
}

// Commit makes one random commit.
func (l *Life) Commit() {
	l.T.Helper()
	var b store.Batch
	for range 1 + l.Rand.IntN(4)*l.Rand.IntN(3) {
		key := fmt.Sprintf("key/%02d", l.Rand.IntN(40))
		if l.Rand.IntN(4) == 0 {
			testkit.Must(l.T, b.Delete([]byte(key)))
			delete(l.Now, key)
		} else {
			value := fmt.Sprintf("%d %s", l.Rand.Uint64(), strings.Repeat("x", l.Rand.IntN(200)))
			testkit.Must(l.T, b.Put([]byte(key), []byte(value)))
			l.Now[key] = value
		}
		l.Seq++
	}
	testkit.Must(l.T, l.DB.Apply(&b))
	l.Moments = append(l.Moments, Moment{l.Seq, time.Now(), maps.Clone(l.Now)})
}

// Seal closes the running log, so that it can be shipped.
func (l *Life) Seal() {
	l.T.Helper()
	if _, err := l.DB.Seal(); err != nil {
		l.T.Fatal(err)
	}
}

// PlanOf plans a point, or fails the test.
func PlanOf(t testing.TB, a *archive.Archive, u segment.UUID, p history.Point) *history.Plan {
	t.Helper()
	plan, err := history.At(t.Context(), a, u, p)
	if err != nil {
		t.Fatalf("plan for %v: %v", &p, err)
	}
	return plan
}

// RestoreTo restores a plan, or fails the test.
func RestoreTo(t testing.TB, a *archive.Archive, p *history.Plan, dest string) *restore.Report {
	t.Helper()
	rep, err := restore.Run(t.Context(), a, dest, restore.Options{Plan: p})
	if err != nil {
		t.Fatalf("restore to %s: %v", dest, err)
	}
	return rep
}

// scanner is a store that is open.
type scanner interface {
	Scan(store.Range) iter.Seq2[store.Object, error]
}

// Contents reads all of a store.
func Contents(t testing.TB, s scanner) map[string]string {
	t.Helper()
	got := map[string]string{}
	for o, err := range s.Scan(store.Range{}) {
		if err != nil {
			t.Fatal(err)
		}
		got[string(o.Key)] = string(o.Value)
	}
	return got
}

// Same fails the test where a state is not what it must be.
func Same(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for k, v := range want {
		if g, ok := got[k]; !ok || g != v {
			t.Fatalf("%s: %q is %.30q, want %.30q (%d objects, want %d)", what, k, g, v, len(got), len(want))
		}
	}
	t.Fatalf("%s: %d objects, want %d", what, len(got), len(want))
}

// OpensTo opens a restored store for writing, and checks that it was in order and
// holds a state.
func OpensTo(t testing.TB, what, dir string, want map[string]string) {
	t.Helper()
	db, err := store.Open(dir, nil)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer db.Close()
	rep := db.OpenReport()
	if !rep.Clean || rep.Begun != nil || rep.Cut != nil || len(rep.LeftAlone)+len(rep.Removed)+len(rep.Notes) > 0 {
		t.Fatalf("%s: did not open in order: %+v", what, rep)
	}
	Same(t, what, Contents(t, db), want)
}

// ReadsTo checks that a store opens for reading and holds a state.
func ReadsTo(t testing.TB, what, dir string, want map[string]string) {
	t.Helper()
	r, err := store.OpenReadOnly(dir, nil)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer r.Close()
	Same(t, what, Contents(t, r), want)
}

// Grown returns a store of n commits that is shipped and still open.
func Grown(t *testing.T, seed uint64, n int) (*Life, *Vault, *archive.Archive) {
	l, v := NewLife(t, seed), NewVault()
	t.Cleanup(func() { l.DB.Close() })
	a := v.Archive(t)
	l.Grow(v, n)
	return l, v, a
}

// Grow makes n commits and ships them.
func (l *Life) Grow(v *Vault, n int) {
	l.T.Helper()
	for range n {
		l.Commit()
	}
	l.Seal()
	v.Ship(l.T, l.Dir)
}

// Names returns the names of the files in a folder.
func Names(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	testkit.Must(t, err)
	s := ""
	for _, e := range list {
		s += e.Name() + " "
	}
	return s
}

// ReadsInPlace compares scans and gets with the model.
func ReadsInPlace(t *testing.T, what string, r *inplace.Reader, want map[string]string) {
	t.Helper()
	for _, reverse := range []bool{false, true} {
		got, last := map[string]string{}, ""
		for rec, err := range r.Scan(segment.Range{Reverse: reverse}) {
			testkit.Must(t, err)
			if key := string(rec.Key); last != "" && (key > last) == reverse {
				t.Fatalf("%s: %q after %q", what, key, last)
			}
			last = string(rec.Key)
			got[last] = string(rec.Value)
		}
		Same(t, what, got, want)
	}
	for i := range 40 {
		key := fmt.Sprintf("key/%02d", i)
		rec, err := r.Get([]byte(key))
		if has, err := r.Has([]byte(key)); err != nil || has != (want[key] != "") {
			t.Fatalf("%s: has %q: %v, %v", what, key, has, err)
		}
		if value, there := want[key]; !there {
			if !errors.Is(err, segment.ErrNotFound) {
				t.Fatalf("%s: get %q, which is not there: %v", what, key, err)
			}
		} else if err != nil || string(rec.Value) != value {
			t.Fatalf("%s: get %q: %v", what, key, err)
		}
	}
}

// Crash goes on with a copy of the folder that was taken while the store was open.
func (l *Life) Crash() {
	l.T.Helper()
	dir := filepath.Join(l.T.TempDir(), "crashed")
	l.CopyOpen(dir)
	testkit.Must(l.T, l.DB.Close())
	l.Dir = dir
	l.Open()
	if b := l.DB.OpenReport().Begun; b == nil {
		l.T.Fatal("the crash began no timeline")
	}
}
