package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/vfs"
)

// A copy made beside writers, rolls and seals is a prefix of what was written,
// and holds all that was acknowledged before it began. Seeds 1 to 6.
func TestHotCopyBesideWritersIsAPrefix(t *testing.T) {
	noLeaks(t)
	copies := 0
	for seed := uint64(1); seed <= 6; seed++ {
		for _, v := range variants {
			v.reopen = false // the folder is the store's and the copies'
			copies += copyBeside(t, v, seed)
		}
	}
	if copies < 60 {
		t.Errorf("only %d copies were made", copies)
	}
}

// takenCopy is a copy and the operation before which it was asked for.
type takenCopy struct {
	op   int
	dir  string
	last uint64
	cut  *crashfs.FS // what a power cut then left at least
}

// copyBeside does a workload and makes copies meanwhile, and then looks into them.
func copyBeside(t *testing.T, v variant, seed uint64) int {
	fsys := crashfs.New()
	w := &workload{variant: v, t: t, fs: fsys}
	w.opt = resolve(t, v.opt)
	for i := range v.writers {
		w.hist.tracks = append(w.hist.tracks, &track{prefix: fmt.Sprintf("g%d/", i)})
	}
	var made []takenCopy
	fsys.Fail(slowSync)
	synctest.Test(t, func(t *testing.T) {
		w.t = t
		w.db = mustOpen(t, fsys, w.opt)
		var wg, copier sync.WaitGroup
		for i, tr := range w.hist.tracks {
			wg.Go(func() { w.write(tr, rand.New(rand.NewPCG(seed, uint64(i)))) })
		}
		done := make(chan struct{})
		copier.Go(func() { made = w.copies(seed, done) })
		wg.Wait()
		close(done)
		copier.Wait()
		w.close()
	})
	for _, c := range made {
		got, last, err := readCopy(t, fsys, c.dir)
		if err == nil && last != c.last {
			err = fmt.Errorf("the report says sequence number %d, the copy has %d", c.last, last)
		}
		if err == nil {
			err = w.hist.check(c.op, got, last)
		}
		if left := recoveredSeq(t, c.cut); err == nil && left < last {
			err = fmt.Errorf("it has sequence number %d, and a power cut would have taken back all after %d", last, left)
		}
		if err != nil {
			t.Fatalf("%s, seed %d: %s, asked for after operation %d: %v", v.name, seed, c.dir, c.op, err)
		}
	}
	return len(made)
}

// recoveredSeq returns the newest sequence number that recovery finds.
func recoveredSeq(t *testing.T, fsys *crashfs.FS) uint64 {
	r, err := openReader(fsys, resolve(t, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return r.OpenReport().LastSeq
}

// copies makes copies until done, every other one without links.
func (w *workload) copies(seed uint64, done chan struct{}) (made []takenCopy) {
	rng := seeded(seed)
	for n := range 12 {
		for range rng.IntN(3000) { // time stands still while anybody is at work
			runtime.Gosched()
		}
		select {
		case <-done:
			return made
		default:
		}
		dir, op := fmt.Sprintf("copy%d", n), w.fs.Ops()
		c := inFolder(w.fs, dir)
		c.o.Copy = n%2 == 0
		if err := c.fill(context.Background()); err != nil {
			w.t.Errorf("%s, seed %d: copy %d: %v", w.name, seed, n, err)
			return made
		}
		made = append(made, takenCopy{op, dir, c.rep.LastSeq, w.fs.Crash(1, crashfs.Kind{Data: crashfs.DataNone, Names: crashfs.NamesNone})})
	}
	return made
}

// inFolder is a copy of the store in the root of fsys that goes to a folder there.
func inFolder(fsys *crashfs.FS, dir string) *hotCopy {
	return &hotCopy{src: fsys, root: fsys, to: dir}
}

// lift makes a folder of fsys the root of a file system of its own, all of it on the disk.
func lift(fsys *crashfs.FS, dir string) *crashfs.FS {
	out := crashfs.New()
	for _, name := range fsys.Names() {
		if base, ok := strings.CutPrefix(name, dir+"/"); ok {
			out.SetBytes(base, fsys.Bytes(name))
		}
	}
	return out
}

// readCopy reads a copy without changing it, then opens it for writing, which must
// show the same on a timeline of its own.
func readCopy(t *testing.T, fsys *crashfs.FS, dir string) (contents, uint64, error) {
	fsys = lift(fsys, dir)
	r, err := openReader(fsys, resolve(t, Options{Integrity: integrity.Full}))
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	rep := r.OpenReport()
	got, err := readAll(r)
	if err != nil {
		return nil, 0, err
	}
	db, err := openFS(fsys, resolve(t, Options{}))
	if err != nil {
		return nil, 0, fmt.Errorf("for writing: %w", err)
	}
	defer db.Close()
	if db.OpenReport().Begun == nil {
		return nil, 0, errors.New("an open for writing went on with the timeline of the original")
	}
	again, err := readAll(db)
	if err == nil {
		err = diff(got, again)
	}
	return got, rep.LastSeq, err
}

// When fill returns, all of the copy survives a power cut, of any kind: only then
// may it get its name.
func TestHotCopyIsOnTheDiskBeforeItGetsItsName(t *testing.T) {
	for _, sc := range scenes(t) {
		for _, copied := range []bool{false, true} {
			fsys := sc.fs.Clone()
			c := inFolder(fsys, "copy")
			c.o.Copy = copied
			if err := c.fill(t.Context()); err != nil {
				t.Fatalf("%s: %v", sc.name, err)
			}
			if err := c.root.SyncDir("."); err != nil { // giveName's
				t.Fatal(err)
			}
			want := files(lift(fsys, "copy"))
			for state, crashed := range fsys.States(1) {
				if got := files(lift(crashed, "copy")); !maps.Equal(want, got) {
					t.Fatalf("%s, copied %v, %v: has %v, want %v", sc.name, copied, state, brieflyFiles(got), brieflyFiles(want))
				}
			}
			if linked := c.rep.Linked > 0; linked == copied {
				t.Errorf("%s, copied %v: %d links", sc.name, copied, c.rep.Linked)
			}
		}
	}
}

// The calls of a copy, in order: each file is synced before the folder is, and the
// mode before that.
func TestHotCopyTrace(t *testing.T) {
	sc := scenes(t)[3] // killed
	for _, copied := range []bool{false, true} {
		var got []string
		fsys := sc.fs.Clone()
		c := inFolder(fsys, "copy")
		c.o.Copy = copied
		c.root = vfs.Trace(fsys, func(line string) {
			if !strings.HasPrefix(line, "write") {
				got = append(got, zeros.ReplaceAllString(line, ""))
			}
		})
		if err := c.fill(t.Context()); err != nil {
			t.Fatal(err)
		}
		want, last := []string{"mkdir copy"}, []string(nil)
		for _, name := range lift(fsys, "copy").Names() {
			short := zeros.ReplaceAllString(name, "")
			switch {
			case strings.HasSuffix(name, ".open"):
				last = []string{"create copy/" + short, "sync copy/" + short, "syncdir copy"}
			case copied:
				want = append(want, "create copy/"+short, "chmod copy/"+short+" 0400", "sync copy/"+short)
			default:
				want = append(want, "link "+short+" copy/"+short, "sync copy/"+short)
			}
		}
		if want = append(want, last...); !slices.Equal(got, want) {
			t.Errorf("copied %v:\n%s\nwant\n%s", copied, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func brieflyFiles(files map[string]string) (list []string) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = append(list, fmt.Sprintf("%s (%d bytes)", name, len(files[name])))
	}
	return list
}

// A copy of a store that nobody writes to shows what a reader of the store shows,
// however the store was left.
func TestHotCopyShowsWhatAReaderShows(t *testing.T) {
	for _, sc := range scenes(t) {
		want, err := readOnly(sc.fs, sc.opt)
		if err != nil {
			t.Fatal(err)
		}
		fsys := sc.fs.Clone()
		c := inFolder(fsys, "copy")
		if err := c.fill(t.Context()); err != nil {
			t.Fatalf("%s: %v", sc.name, err)
		}
		if err := c.check(lift(fsys, "copy")); err != nil {
			t.Errorf("%s: %v", sc.name, err)
		}
		c.rep.LastSeq++
		if err := c.check(lift(fsys, "copy")); !isDamage(err) {
			t.Errorf("%s: a copy that ends too early passes the check: %v", sc.name, err)
		}
		got, _, err := readCopy(t, fsys, "copy")
		if err == nil {
			err = diff(want, got)
		}
		if err != nil {
			t.Errorf("%s: %v", sc.name, err)
		}
	}
}

// A segment whose bytes are not those that were sealed is not copied, wherever the
// damage is; a call that fails fails the copy. Either way nothing is left.
func TestHotCopyOfDamageIsNone(t *testing.T) {
	sc := scenes(t)[0]
	rng := seeded(3)
	for _, name := range sc.fs.Names() {
		if !strings.HasSuffix(name, ".seg") {
			continue
		}
		for range 40 {
			fsys := sc.fs.Clone()
			b := fsys.Bytes(name)
			at := rng.IntN(len(b))
			b[at] ^= 1 << rng.IntN(8)
			fsys.SetBytes(name, b)
			c := inFolder(fsys, "copy")
			c.o.Copy = true
			if err := c.fill(t.Context()); !isDamage(err) {
				t.Fatalf("%s flipped at %d: %v", name, at, err)
			}
			if err := c.discard(); err != nil {
				t.Fatal(err)
			}
			if left := lift(fsys, "copy").Names(); len(left) > 0 {
				t.Fatalf("left: %v", left)
			}
		}
	}
}

// diskStore makes a store of a few segments in a folder, and leaves it open.
func diskStore(t *testing.T, dir string) *DB {
	db, err := Open(dir, &Options{SegmentSize: MinSegmentSize})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for i := range 40 {
		mustPut(t, db, fmt.Sprintf("k%02d", i), strings.Repeat("v", 500))
	}
	return db
}

// The same on a disk, with links, while logs roll and are sealed: one writer, who puts
// one key after the other.
func TestHotCopyBesideAWriterOnADisk(t *testing.T) {
	noLeaks(t)
	dir, dest := filepath.Join(t.TempDir(), "s"), t.TempDir()
	db := diskStore(t, dir)
	var acked atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := int64(1); !stop.Load(); i++ {
			if err := db.Put(fmt.Appendf(nil, "n%08d", i), make([]byte, 300)); err != nil {
				t.Error(err)
				return
			}
			acked.Store(i)
		}
	})
	for range 8 {
		before := acked.Load()
		rep, err := HotCopy(t.Context(), dir, dest, HotCopyOptions{})
		if err != nil {
			t.Error(err)
			break
		}
		n := rep.Objects - 40 // of diskStore
		if n < before || uint64(rep.Objects) != rep.LastSeq {
			t.Errorf("%d objects up to sequence number %d; %d were acknowledged before", n, rep.LastSeq, before)
		}
		r, err := OpenReadOnly(rep.Path, nil)
		if err != nil {
			t.Error(err)
			break
		}
		for i := int64(1); i <= n; i++ {
			if there, err := r.Has(fmt.Appendf(nil, "n%08d", i)); !there || err != nil {
				t.Errorf("%d of %d is missing: %v", i, n, err)
				break
			}
		}
		mustClose(t, r)
	}
	stop.Store(true)
	wg.Wait()
}

// In a folder of copies each has a dated name, and each run, good or bad, a line.
func TestHotCopyIntoAFolderOfCopies(t *testing.T) {
	dir, dest := filepath.Join(t.TempDir(), "s"), t.TempDir()
	db := diskStore(t, dir)
	stale := filepath.Join(dest, "2001-02-03T04-05-06Z.tmp-"+strings.Repeat("A", 26))
	if err := os.Mkdir(stale, 0o700); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-2 * copyTempAge)
	if err := os.Chtimes(stale, long, long); err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range 3 {
		mustPut(t, db, fmt.Sprintf("more%d", i), "")
		var steps []string
		rep, err := HotCopy(t.Context(), dir, dest, HotCopyOptions{Progress: func(s HotCopyStep) { steps = append(steps, s.Step) }})
		if err != nil {
			t.Fatal(err)
		}
		if want := uint64(41 + i); rep.LastSeq != want || rep.Objects != int64(want) || !rep.Live {
			t.Errorf("up to %d with %d objects, live %v; want %d", rep.LastSeq, rep.Objects, rep.Live, want)
		}
		if got := strings.Join(slices.Compact(steps), " "); !strings.HasSuffix(got, "log check rename") || !strings.HasPrefix(got, "list link ") {
			t.Errorf("steps: %s", got)
		}
		names = append(names, filepath.Base(rep.Path))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := HotCopy(ctx, dir, dest, HotCopyOptions{Copy: true}); err == nil {
		t.Fatal("a run whose context had ended came to something")
	}
	if !slices.IsSorted(names) || !isDated(names[0]) || !isDated(names[2]) {
		t.Errorf("names: %v", names)
	}
	want := append(names, copyLog)
	if got := listNames(t, dest); !slices.Equal(got, want) {
		t.Errorf("in the folder: %v, want %v", got, want)
	}
	b, err := os.ReadFile(filepath.Join(dest, copyLog))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 4 || strings.Count(string(b), " result=done name=") != 3 || !strings.Contains(lines[3], " result=failed error=") {
		t.Errorf("the log:\n%s", b)
	}
}

func listNames(t *testing.T, dir string) (names []string) {
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		names = append(names, d.Name())
	}
	return names
}

func oneSealed(t *testing.T, dir string) string {
	for _, name := range listNames(t, dir) {
		if strings.HasSuffix(name, ".seg") {
			return name
		}
	}
	t.Fatal("nothing is sealed")
	return ""
}

// Modes, links, and that writing to a copy leaves the store as it is.
func TestHotCopyIsAStoreOfItsOwn(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "s")
	db := diskStore(t, dir)
	sealed := oneSealed(t, dir)
	for _, copied := range []bool{false, true} {
		dest := filepath.Join(base, fmt.Sprint("copied ", copied))
		rep, err := HotCopy(t.Context(), dir, dest, HotCopyOptions{Copy: copied, Check: integrity.Full})
		if err != nil {
			t.Fatal(err)
		}
		if rep.Path != dest || rep.Level != integrity.Full || (rep.Linked > 0) == copied {
			t.Errorf("%+v", rep)
		}
		a, _ := os.Stat(filepath.Join(dir, sealed))
		b, err := os.Stat(filepath.Join(dest, sealed))
		if err != nil || os.SameFile(a, b) == copied || b.Mode() != 0o400 {
			t.Errorf("%s: %v, %v", sealed, b.Mode(), err)
		}
		if info, _ := os.Stat(dest); info.Mode().Perm() != 0o700 {
			t.Errorf("folder: %v", info.Mode())
		}
		mine, err := Open(dest, nil)
		if err != nil {
			t.Fatal(err)
		}
		if mine.OpenReport().Timeline == db.OpenReport().Timeline {
			t.Error("the copy is on the store's timeline")
		}
		mustPut(t, mine, "k00", "changed")
		mustClose(t, mine)
		if v, err := db.Get([]byte("k00")); err != nil || len(v) != 500 {
			t.Errorf("the store has %q, %v", v, err)
		}
	}
	if got := len(listNames(t, base)); got != 3 {
		t.Errorf("%d entries beside the store, want 3", got)
	}
}

// What cannot be a place for a copy is refused before anything is made.
func TestHotCopyRefusesAPlace(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "s")
	diskStore(t, dir)
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := listNames(t, base)
	for _, c := range []struct {
		dest string
		want error
	}{
		{base, fs.ErrExist},
		{dir, fs.ErrExist},
		{file, fs.ErrExist},
		{filepath.Join(base, "no", "such"), fs.ErrNotExist},
		{filepath.Join(dir, "within"), fs.ErrInvalid},
	} {
		if _, err := HotCopy(t.Context(), dir, c.dest, HotCopyOptions{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.dest, err, c.want)
		}
	}
	if _, err := HotCopy(t.Context(), filepath.Join(base, "none"), filepath.Join(base, "x"), HotCopyOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no store: %v", err)
	}
	if after := listNames(t, base); !slices.Equal(before, after) {
		t.Errorf("there is %v, was %v", after, before)
	}
}
