package archiver

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// folderScene is a store in memory, and one disk for the archive and the receipts,
// whose names do not clash.
type folderScene struct {
	store fstest.MapFS
	disk  *crashfs.FS
}

// newFolderScene returns a store of n segments, each with objects of size bytes.
func newFolderScene(t testing.TB, n, size int) *folderScene {
	s := &folderScene{store: fstest.MapFS{}, disk: crashfs.New()}
	for i := range n {
		ref := shipRef(i + 1)
		b := logBytes(t, shipUUID, ref, uint64(1+3*i), 3, size, time.Unix(1e9, 0), true)
		s.store[ref.ID.String()+".seg"] = &fstest.MapFile{Data: b, Mode: 0o400}
	}
	_, err := target.Init(t.Context(), dir.OpenFS(s.disk, "file:///archive"))
	testkit.Must(t, err)
	return s
}

// once ships from store through disk, as a process that starts does.
func (s *folderScene) once(t testing.TB, store fs.FS, disk vfs.FS) (OnceReport, error) {
	a, err := New(Options{Store: store, receipts: disk, Targets: []target.Target{dir.OpenFS(disk, "file:///archive")}})
	if err != nil {
		return OnceReport{}, err
	}
	a.standing.opens = asIfWhole
	a.tries = 1
	a.backoff = target.Backoff{Base: 1, Most: 1}
	return a.Once(t.Context())
}

// judge reports what must not be on a disk: an object that is not the store's
// segment, and a receipt without its object.
func (s *folderScene) judge(t testing.TB, disk *crashfs.FS) error {
	to := dir.OpenFS(disk, "file:///archive")
	have := map[string]bool{}
	for info, err := range to.List(t.Context(), shipUUID.String(), "") {
		if err != nil {
			return err
		}
		sum, err := to.Sum(t.Context(), info.Name)
		if err != nil {
			return err
		}
		_, ref, _, _ := archive.ParseRefName(info.Name)
		if f := s.store[ref.ID.String()+".seg"]; f == nil || sum.SHA256 != sha256.Sum256(f.Data) {
			return fmt.Errorf("%s is not what the store has", info.Name)
		}
		have[info.Name] = true
	}
	id, err := target.Identify(t.Context(), to)
	if err != nil {
		return err
	}
	r, err := receipt.Open(disk)
	if err != nil {
		return err
	}
	for rec, err := range r.All(id.ID) {
		if err != nil {
			return err
		}
		if !have[rec.Object] {
			return fmt.Errorf("there is a receipt for %s, and no object", rec.Object)
		}
	}
	return nil
}

// TestDigestsAreThoseOfVerify feeds a segment in pieces cut by a seed.
func TestDigestsAreThoseOfVerify(t *testing.T) {
	const seed = 7
	b := logBytes(t, shipUUID, shipRef(1), 1, 3, 100, time.Unix(1e9, 0), true)
	size := int64(len(b))
	want, err := sealed.Verify(t.Context(), bytes.NewReader(b), size)
	testkit.Must(t, err)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		d := sealed.NewDigests(size)
		for rest := b; len(rest) > 0; {
			n := rnd.IntN(min(len(rest), 1+rnd.IntN(len(b))) + 1) // also none
			d.Write(rest[:n])
			rest = rest[n:]
		}
		got, err := d.Segment(bytes.NewReader(b), size)
		testkit.Must(t, err)
		if *got != *want {
			t.Fatalf("seed %d: %+v, want %+v", seed, got, want)
		}
	}
	d := sealed.NewDigests(size)
	d.Write(b[:size-1])
	if _, err := d.Segment(bytes.NewReader(b), size); err == nil {
		t.Error("a byte that was not hashed is not missed")
	}
}

func TestDamageGetsNoNameInAFolder(t *testing.T) {
	s := newFolderScene(t, 1, 20)
	const name = "00000000000000000001.seg"
	good := s.store[name].Data
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] ^= 1
		s.disk = crashfs.New()
		_, err := target.Init(t.Context(), dir.OpenFS(s.disk, "file:///archive"))
		testkit.Must(t, err)
		if _, err = s.once(t, fstest.MapFS{name: {Data: bad, Mode: 0o400}}, s.disk); err == nil {
			t.Errorf("byte %d of %d: no error", at, len(good))
		}
		for _, n := range s.disk.Names() {
			if strings.HasSuffix(n, ".seg") || strings.Contains(n, statefile.TempPrefix) {
				t.Errorf("byte %d of %d: %s is there", at, len(good), n)
			}
		}
	}
	s.disk = crashfs.New()
	_, err := target.Init(t.Context(), dir.OpenFS(s.disk, "file:///archive"))
	testkit.Must(t, err)
	bad := bytes.Clone(good)
	bad[len(bad)/2] ^= 1
	r, err := s.once(t, fstest.MapFS{name: {Data: bad, Mode: 0o400}}, s.disk)
	c, ok := errors.AsType[*segment.CorruptError](err)
	if !ok || !errors.Is(err, ErrSetAside) || c.File != name || len(r.Damaged) != 1 || r.Targets[0].Failures != 0 {
		t.Errorf("%v, %+v: want the file set aside, and no failure of the target", err, r)
	}
}

func TestUnreadableSegmentIsNoFaultOfTheFolder(t *testing.T) {
	s := newFolderScene(t, 3, 1<<20)
	bad := &countedFS{FS: s.store, fail: map[string]int64{"00000000000000000002.seg": 1 << 20}}
	r, err := s.once(t, bad, s.disk)
	if !errors.Is(err, ErrSetAside) || !errors.Is(err, syscall.EIO) || len(r.Damaged) != 1 || r.Targets[0].Failures != 0 || r.Targets[0].Shipped != 2 {
		t.Errorf("%v, %+v: want one segment set aside, two shipped, and no failure of the target", err, r)
	}
	testkit.Must(t, s.judge(t, s.disk))
}

// TestPowerCutWhileAFolderIsShippedTo cuts the power after every operation of Once.
func TestPowerCutWhileAFolderIsShippedTo(t *testing.T) {
	s := newFolderScene(t, 2, 1000)
	rec := s.disk.Record()
	_, err := s.once(t, s.store, s.disk)
	testkit.Must(t, err)
	testkit.Must(t, s.judge(t, s.disk))
	const seed = 3
	for n := rec.First(); n <= rec.Ops(); n++ {
		for state, crashed := range rec.At(n).States(seed) {
			if err := s.judge(t, crashed); err != nil {
				t.Errorf("seed %d, cut after %v, %v: %v", seed, rec.Op(n), state, err)
			}
		}
	}
}

// countedFS counts what is opened and read of the files of a file system.
type countedFS struct {
	fs.FS
	opens, bytes atomic.Int64
	fail         map[string]int64 // reads that reach these offsets fail
}

func (c *countedFS) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".seg") {
		c.opens.Add(1)
	}
	return &countedFile{f, c, c.fail[name]}, nil
}

func (c *countedFS) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(c.FS, name) }

type countedFile struct {
	fs.File
	c    *countedFS
	fail int64
}

func (f *countedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.c.bytes.Add(int64(n))
	return n, err
}

func (f *countedFile) ReadAt(p []byte, off int64) (int, error) {
	if f.fail > 0 && off+int64(len(p)) > f.fail {
		return 0, syscall.EIO
	}
	n, err := f.File.(io.ReaderAt).ReadAt(p, off)
	f.c.bytes.Add(int64(n))
	return n, err
}

// TestAFolderIsShippedToInOnePass: each byte of the store is read once, and each
// segment costs two syncs there and two of its receipt, at most.
func TestAFolderIsShippedToInOnePass(t *testing.T) {
	const n = 4
	s := newFolderScene(t, n, 1<<20)
	total := int64(0)
	for _, f := range s.store {
		total += int64(len(f.Data))
	}
	src := &countedFS{FS: s.store}
	var mu sync.Mutex
	syncs := 0
	r, err := s.once(t, src, vfs.Trace(s.disk, func(line string) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(line, "sync") {
			syncs++
		}
	}))
	testkit.Must(t, err)
	testkit.Must(t, s.judge(t, s.disk))
	// Beside the segments, their heads, and what tells how old what waits is.
	if got, most := src.bytes.Load(), total+n*segment.PeekSize+(64<<10); r.Targets[0].Shipped != n || got > most {
		t.Errorf("%d segments shipped, %d bytes read of %d", r.Targets[0].Shipped, got, most)
	}
	const others = 21 // probe, folders and the name of the outermost, status at the begin and at the end
	if most := 4*n + others; syncs > most {
		t.Errorf("%d syncs, want no more than %d", syncs, most)
	}
	t.Logf("%d syncs for %d segments", syncs, n)
}

// slowSync counts the syncs of a folder, each of which takes a second.
type slowSync struct {
	vfs.FS
	begun atomic.Int64
	fail  error
}

func (s *slowSync) SyncDir(string) error {
	s.begun.Add(1)
	time.Sleep(time.Second)
	return s.fail
}

func TestFoldersAreSyncedForAllWhoAskedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &slowSync{}
		s := statefile.NewFolderSync(disk)
		var wg sync.WaitGroup
		began := time.Now()
		ask := func(dir string, after, takes time.Duration) {
			wg.Go(func() {
				time.Sleep(after)
				if err := s.Sync(dir); !errors.Is(err, disk.fail) {
					t.Errorf("%s after %v: %v", dir, after, err)
				}
				if took := time.Since(began); took != takes {
					t.Errorf("%s asked after %v is done after %v, want %v", dir, after, took, takes)
				}
			})
		}
		ask("a", 0, time.Second)
		for range 10 { // they ask while the first is under way, which may be too early for them
			ask("a", 500*time.Millisecond, 2*time.Second)
		}
		ask("a", 1500*time.Millisecond, 3*time.Second)
		wg.Wait()
		if n := disk.begun.Load(); n != 3 {
			t.Errorf("%d syncs, want 3", n)
		}
		disk.fail = syscall.EIO
		began = time.Now()
		ask("a", 0, time.Second)
		ask("a", time.Millisecond, 2*time.Second)
		wg.Wait()
	})
}
