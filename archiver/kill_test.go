package archiver_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/archiver/target/s3"
	"github.com/varve-db/varve/archiver/target/targettest"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

const killParallel = 3

// killOptions are those of the archiver that is killed: the store in dir, shipped to
// where the URL says.
func killOptions(ctx context.Context, folder, to string) (archiver.Options, error) {
	o := archiver.Options{Store: vfs.AsFS(vfs.Dir(folder)), Receipts: archiver.ReceiptsDir(folder),
		Parallel: killParallel, Poll: 10 * time.Millisecond}
	u, err := target.ParseURL(to)
	if err != nil {
		return o, err
	}
	var t target.Target
	if u.Scheme == "s3" {
		t, err = s3.OpenURL(ctx, u)
	} else {
		t, err = dir.Open(u.Path, nil)
	}
	o.Targets = []target.Target{t}
	return o, err
}

// TestKillChild is the process that is killed; by itself it is no test.
func TestKillChild(t *testing.T) {
	dir, to := os.Getenv("VARVE_KILL_STORE"), os.Getenv("VARVE_KILL_TO")
	if dir == "" {
		t.Skip("for TestKill")
	}
	o, err := killOptions(t.Context(), dir, to)
	if err != nil {
		t.Fatal(err)
	}
	o.Logger = slog.New(slog.NewTextHandler(os.Stdout, nil)) // its first line says that it has begun
	a, err := archiver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Fatal(a.Run(t.Context()))
}

// TestKill kills an archiver with SIGKILL at random points, again and again, while it
// ships a few hundred segments. VARVE_KILLS says how often; then each segment must
// be in the archive exactly once.
func TestKill(t *testing.T) {
	kills, segments := 20, 40
	if v := os.Getenv("VARVE_KILLS"); v != "" {
		var err error
		if kills, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
		segments = 300
	}
	for name, open := range map[string]func(*testing.T) (to, objects, log string){
		"to a folder": func(t *testing.T) (string, string, string) {
			dir := t.TempDir()
			return (&url.URL{Scheme: "file", Path: dir}).String(), dir, ""
		},
		"to a bucket": func(t *testing.T) (string, string, string) {
			s := targettest.StartS3(t)
			return s.URL("arc"), filepath.Join(s.Root, s.Bucket, "arc"), s.AccessLog
		},
	} {
		t.Run(name, func(t *testing.T) {
			to, objects, log := open(t)
			k := newKilling(t, to, objects, segments)
			k.run(kills)
			k.finish()
			k.check()
			if log != "" {
				checkAccessLog(t, log, len(k.sealed))
			} else if n := k.leftovers(); n > kills*killParallel {
				t.Errorf("%d uploads in vain by %d kills", n, kills)
			}
		})
	}
}

// killing is a store, an archive, and what was seen of it.
type killing struct {
	t        *testing.T
	rnd      *rand.Rand
	dir, to  string
	objects  string // folder in which the archive's objects are files
	sealed   map[string][]byte
	receipts *receipt.Folder
	id       string
	seen     map[string]fs.FileInfo // objects with receipts
}

func newKilling(t *testing.T, to, objects string, segments int) *killing {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	k := &killing{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), dir: filepath.Join(t.TempDir(), "s"), to: to, objects: objects,
		sealed: map[string][]byte{}, seen: map[string]fs.FileInfo{}}
	fill(t, k.dir, segments)
	for _, file := range glob(t, k.dir, "*.seg") {
		b, err := os.ReadFile(file)
		check(t, err)
		r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
		check(t, err)
		k.sealed[fmt.Sprintf("%v/%v/%v.seg", r.Header.UUID, r.Header.Ref.Timeline, r.Header.Ref.ID)] = b
	}
	if len(k.sealed) < segments {
		t.Fatalf("%d segments, want %d", len(k.sealed), segments)
	}
	o, err := killOptions(t.Context(), k.dir, to)
	check(t, err)
	id, err := target.Init(t.Context(), o.Targets[0])
	check(t, err)
	k.id = id.ID
	k.receipts, err = receipt.Open(vfs.Dir(o.Receipts))
	check(t, err)
	return k
}

// fill makes a store of at least so many sealed segments.
func fill(t *testing.T, dir string, segments int) {
	t.Helper()
	db, err := store.Open(dir, &store.Options{SegmentSize: store.MinSegmentSize})
	check(t, err)
	value := make([]byte, 1500)
	for i := range 2*segments + 2 {
		check(t, db.Put(fmt.Appendf(nil, "key %d", i), value))
	}
	_, err = db.Seal()
	check(t, err)
	check(t, db.Close())
}

// run kills so many archivers. How long they live depends on how far they come, so
// that the segments last for all of them.
func (k *killing) run(kills int) {
	life := time.Millisecond
	done := 0
	for n := range kills {
		k.killOne(time.Duration(k.rnd.Int64N(int64(life) + 1)))
		k.look()
		if len(k.seen) < len(k.sealed) {
			done = n + 1
		}
		if 20*len(k.seen)*kills > 19*(n+1)*len(k.sealed) {
			life /= 2
		} else {
			life = min(life*5/4+time.Microsecond, time.Second)
		}
	}
	k.t.Logf("%d kills, %d of them before all was shipped; then %d of %d segments had been", kills, done, len(k.seen), len(k.sealed))
}

// killOne starts an archiver and kills it when it has been shipping for a while.
func (k *killing) killOne(after time.Duration) {
	k.t.Helper()
	exe, err := os.Executable()
	check(k.t, err)
	cmd := exec.Command(exe, "-test.run=^TestKillChild$")
	cmd.Env = append(os.Environ(), "VARVE_KILL_STORE="+k.dir, "VARVE_KILL_TO="+k.to)
	out, err := cmd.StdoutPipe()
	check(k.t, err)
	check(k.t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, "msg=archive") {
		cmd.Process.Kill()
		cmd.Wait()
		k.t.Fatalf("the archiver did not begin: %q, %v", line, err)
	}
	time.Sleep(after)
	check(k.t, cmd.Process.Kill())
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		k.t.Fatalf("the archiver ended by itself: %v", err)
	}
}

// look holds what is there now: whatever has a receipt is whole, and the very file
// that it was before.
func (k *killing) look() {
	k.t.Helper()
	for r, err := range k.receipts.All(k.id) {
		check(k.t, err)
		want := k.sealed[r.Object]
		info, err := os.Stat(filepath.Join(k.objects, filepath.FromSlash(r.Object)))
		check(k.t, err)
		if old := k.seen[r.Object]; old != nil {
			if !os.SameFile(old, info) {
				k.t.Fatalf("%s was overwritten", r.Object)
			}
			continue
		}
		got, err := os.ReadFile(filepath.Join(k.objects, filepath.FromSlash(r.Object)))
		check(k.t, err)
		if !bytes.Equal(got, want) || r.Size != int64(len(want)) || r.SHA256 != segment.Digest(sha256.Sum256(want)) {
			k.t.Fatalf("%s has a receipt, and is not what was shipped: %d bytes, want %d; receipt %+v", r.Object, len(got), len(want), r)
		}
		k.seen[r.Object] = info
	}
}

// finish ships the rest, undisturbed.
func (k *killing) finish() {
	k.t.Helper()
	o, err := killOptions(k.t.Context(), k.dir, k.to)
	check(k.t, err)
	a, err := archiver.New(o)
	check(k.t, err)
	_, err = a.Once(k.t.Context())
	check(k.t, err)
}

// check wants every segment in the archive, each once, each with its receipt.
func (k *killing) check() {
	k.t.Helper()
	k.look()
	if len(k.seen) != len(k.sealed) {
		k.t.Errorf("%d receipts, want %d", len(k.seen), len(k.sealed))
	}
	o, err := killOptions(k.t.Context(), k.dir, k.to)
	check(k.t, err)
	objects := 0
	for info, err := range o.Targets[0].List(k.t.Context(), "", "") {
		check(k.t, err)
		if want, ok := k.sealed[info.Name]; ok && info.Size == int64(len(want)) {
			objects++
		} else if info.Name != "varve-archive.json" && info.Name != "varve-reserve" {
			k.t.Errorf("object %s of %d bytes should not be there", info.Name, info.Size)
		}
	}
	if objects != len(k.sealed) {
		k.t.Errorf("%d objects, want %d", objects, len(k.sealed))
	}
}

// leftovers counts the temporary files of uploads that were cut off.
func (k *killing) leftovers() (n int) {
	check(k.t, filepath.WalkDir(k.objects, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), ".tmp-") {
			n++
		}
		return err
	}))
	return n
}

// checkAccessLog wants that the server stored each object just once.
func checkAccessLog(t *testing.T, log string, objects int) {
	t.Helper()
	b, err := os.ReadFile(log)
	check(t, err)
	stored := map[string]int{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		i := slices.Index(f, "s3_PutObject") // then key, path, status
		if i < 0 || i+3 >= len(f) || f[i+3] != "200" || !strings.HasSuffix(f[i+1], ".seg") {
			continue
		}
		if stored[f[i+1]]++; stored[f[i+1]] > 1 {
			t.Errorf("%s was stored twice", f[i+1])
		}
	}
	if len(stored) != objects {
		t.Errorf("the access log shows uploads of %d segments, want %d", len(stored), objects)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func glob(t testing.TB, dir, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, pattern))
	check(t, err)
	return list
}
