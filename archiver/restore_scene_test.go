package archiver_test

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

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// vault is a target in memory that counts what is read from it.
type vault struct {
	mu       sync.Mutex
	objects  map[string][]byte
	readOnly bool
	requests int
	bytes    int64
	opened   map[string]int // Open calls by name
}

func newVault() *vault { return &vault{objects: map[string][]byte{}, opened: map[string]int{}} }

func (v *vault) URL() string { return "mem://vault" }

func (v *vault) get(name string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	b, ok := v.objects[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, archiver.ErrNotExist)
	}
	return b, nil
}

func (v *vault) Put(_ context.Context, name string, r io.ReaderAt, size int64, sum [32]byte) error {
	b := make([]byte, size)
	if n, err := r.ReadAt(b, 0); n < len(b) {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch _, there := v.objects[name]; {
	case v.readOnly:
		return fmt.Errorf("%s: %w", name, archiver.ErrDenied)
	case there:
		return fmt.Errorf("%s: %w", name, archiver.ErrExists)
	case sha256.Sum256(b) != sum:
		return fmt.Errorf("%s: wrong sum", name)
	}
	v.objects[name] = b
	return nil
}

func (v *vault) Stat(_ context.Context, name string) (archiver.Info, error) {
	b, err := v.get(name)
	return archiver.Info{Name: name, Size: int64(len(b))}, err
}

func (v *vault) Sum(_ context.Context, name string) (archiver.Info, error) {
	b, err := v.get(name)
	return archiver.Info{Name: name, Size: int64(len(b)), SHA256: sha256.Sum256(b)}, err
}

func (v *vault) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	b, err := v.get(name)
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
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests++
	v.bytes += int64(len(b))
	v.opened[name]++
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (v *vault) List(_ context.Context, prefix, after string) iter.Seq2[archiver.Info, error] {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests++
	var all []archiver.Info
	for name, b := range v.objects {
		if strings.HasPrefix(name, prefix) && name > after {
			all = append(all, archiver.Info{Name: name, Size: int64(len(b))})
		}
	}
	slices.SortFunc(all, func(a, b archiver.Info) int { return cmp.Compare(a.Name, b.Name) })
	return func(yield func(archiver.Info, error) bool) {
		for _, i := range all {
			if !yield(i, nil) {
				return
			}
		}
	}
}

func (v *vault) Delete(_ context.Context, name string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.objects, name)
	return nil
}

func (v *vault) Probe(context.Context) error { return nil }

// reset forgets what was counted.
func (v *vault) reset() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests, v.bytes, v.opened = 0, 0, map[string]int{}
}

// names returns the names of segments.
func (v *vault) names() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(v.objects)), func(n string) bool { return !strings.HasSuffix(n, ".seg") })
}

// ship puts every sealed segment of a folder into the vault.
func (v *vault) ship(t testing.TB, dir string) {
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
func (v *vault) add(t testing.TB, b []byte) string {
	t.Helper()
	h, _, err := segment.ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	name := objectOf(h.UUID, h.Ref)
	v.mu.Lock()
	defer v.mu.Unlock()
	if old, there := v.objects[name]; there && !bytes.Equal(old, b) {
		t.Fatalf("%s is there with other content", name)
	}
	v.objects[name] = b
	return name
}

func objectOf(u segment.UUID, r segment.Ref) string {
	return fmt.Sprintf("%v/%v/%v.seg", u, r.Timeline, r.ID)
}

// open opens the vault as an archive.
func (v *vault) open(t testing.TB) *archiver.Archive {
	t.Helper()
	if _, err := archiver.Init(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	a, err := archiver.OpenArchive(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// moment is a state that a store was in: after a commit.
type moment struct {
	seq  uint64
	at   time.Time // after the commit, before the next
	want map[string]string
}

// life is a store that is written to at random, and what it was at each commit.
type life struct {
	t       testing.TB
	rng     *rand.Rand
	dir     string
	opt     store.Options
	db      *store.DB
	now     map[string]string
	seq     uint64
	moments []moment
	uuid    segment.UUID
}

func newLife(t testing.TB, seed uint64) *life {
	l := &life{t: t, rng: rand.New(rand.NewPCG(seed, 5)), dir: filepath.Join(t.TempDir(), "store"), now: map[string]string{}}
	l.opt = store.Options{SegmentSize: store.MinSegmentSize, Durability: store.SyncEvery(time.Second)}
	l.open()
	l.uuid = l.db.OpenReport().UUID
	return l
}

func (l *life) open() {
	l.t.Helper()
	db, err := store.Open(l.dir, &l.opt)
	if err != nil {
		l.t.Fatal(err)
	}
	l.db = db
}

func (l *life) close() {
	l.t.Helper()
	if err := l.db.Close(); err != nil {
		l.t.Fatal(err)
	}
}

// copyTo makes a copy of the closed store and goes on with it: a new timeline.
func (l *life) copyTo(dir string) {
	l.t.Helper()
	if err := os.CopyFS(dir, os.DirFS(l.dir)); err != nil {
		l.t.Fatal(err)
	}
	l.dir = dir
}

// copyOpen copies the folder of the store while it is open: what a crash leaves, if
// all that was written reached the disk. Logs that ended are sealed in the background
// and renamed, so a copy counts only if the folder stood still while it was made.
func (l *life) copyOpen(dir string) {
	l.t.Helper()
	testkit.Must(l.t, l.db.Sync())
	for range 1000 {
		before := l.files()
		err := os.CopyFS(dir, os.DirFS(l.dir))
		if err == nil && maps.Equal(before, l.files()) {
			return
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.t.Fatal(err)
		}
		testkit.Must(l.t, os.RemoveAll(dir))
	}
	l.t.Fatal("the folder never stands still")
}

// files returns the size and time of every file in the folder.
func (l *life) files() map[string]string {
	l.t.Helper()
	list, err := os.ReadDir(l.dir)
	testkit.Must(l.t, err)
	all := map[string]string{}
	for _, e := range list {
		all[e.Name()] = "gone"
		if i, err := e.Info(); err == nil {
			all[e.Name()] = fmt.Sprint(i.Size(), i.ModTime(), i.Mode())
		}
	}
	return all
}

// commit makes one random commit.
func (l *life) commit() {
	l.t.Helper()
	var b store.Batch
	for range 1 + l.rng.IntN(4)*l.rng.IntN(3) {
		key := fmt.Sprintf("key/%02d", l.rng.IntN(40))
		if l.rng.IntN(4) == 0 {
			testkit.Must(l.t, b.Delete([]byte(key)))
			delete(l.now, key)
		} else {
			value := fmt.Sprintf("%d %s", l.rng.Uint64(), strings.Repeat("x", l.rng.IntN(200)))
			testkit.Must(l.t, b.Put([]byte(key), []byte(value)))
			l.now[key] = value
		}
		l.seq++
	}
	testkit.Must(l.t, l.db.Apply(&b))
	l.moments = append(l.moments, moment{l.seq, time.Now(), maps.Clone(l.now)})
}

// seal closes the running log, so that it can be shipped.
func (l *life) seal() {
	l.t.Helper()
	if _, err := l.db.Seal(); err != nil {
		l.t.Fatal(err)
	}
}

// plan plans a point, or fails the test.
func planOf(t testing.TB, a *archiver.Archive, u segment.UUID, p archiver.Point) *archiver.Plan {
	t.Helper()
	plan, err := archiver.At(t.Context(), a, u, p)
	if err != nil {
		t.Fatalf("plan for %v: %v", &p, err)
	}
	return plan
}

// restoreTo restores a plan, or fails the test.
func restoreTo(t testing.TB, a *archiver.Archive, p *archiver.Plan, dest string) *archiver.RestoreReport {
	t.Helper()
	rep, err := archiver.Restore(t.Context(), a, dest, archiver.RestoreOptions{Plan: p})
	if err != nil {
		t.Fatalf("restore to %s: %v", dest, err)
	}
	return rep
}

// scanner is a store that is open.
type scanner interface {
	Scan(store.Range) iter.Seq2[store.Object, error]
}

// contents reads all of a store.
func contents(t testing.TB, s scanner) map[string]string {
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

// same fails the test where a state is not what it must be.
func same(t testing.TB, what string, got, want map[string]string) {
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

// opensTo opens a restored store for writing, and checks that it was in order and
// holds a state.
func opensTo(t testing.TB, what, dir string, want map[string]string) {
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
	same(t, what, contents(t, db), want)
}

// readsTo checks that a store opens for reading and holds a state.
func readsTo(t testing.TB, what, dir string, want map[string]string) {
	t.Helper()
	r, err := store.OpenReadOnly(dir, nil)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer r.Close()
	same(t, what, contents(t, r), want)
}
