package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/targettest"
)

// open returns a target in the server's bucket.
func open(t *testing.T, s *targettest.S3Server, prefix string) *Target {
	t.Helper()
	return openAt(t, s.URL(prefix))
}

// openAt is OpenURL.
func openAt(t *testing.T, target string) *Target {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := OpenURL(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// random returns n bytes that the seed makes.
func random(seed, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// put is Put of what is in memory.
func put(t *Target, ctx context.Context, name string, b []byte) error {
	return t.Put(ctx, name, bytes.NewReader(b), int64(len(b)), sha256.Sum256(b))
}

// read returns a range of an object.
func read(t *testing.T, target *Target, name string, off, n int64) []byte {
	t.Helper()
	r, err := target.Open(t.Context(), name, off, n)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// want fails the test if err is not of that kind, or does not hold each text.
func want(t *testing.T, err, kind error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("%v: is not %q", err, kind)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v: does not say %q", err, text)
		}
	}
}

func TestAnObjectComesBackAsItWentIn(t *testing.T) {
	s := targettest.StartS3(t)
	for _, prefix := range []string{"", "a/folder"} {
		target := open(t, s, prefix)
		for seed, n := range []int{0, 1, 4096, 8 << 20} {
			b := random(seed, n)
			name := fmt.Sprintf("store/0000/%d.seg", n)
			if err := put(target, t.Context(), name, b); err != nil {
				t.Fatal(err)
			}
			if got := read(t, target, name, 0, -1); !bytes.Equal(got, b) {
				t.Errorf("%s: %d bytes came back as %d others", name, n, len(got))
			}
			info, err := target.Stat(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if info.Size != int64(n) || info.SHA256 != sha256.Sum256(b) || info.Name != name || time.Since(info.Modified) > time.Hour {
				t.Errorf("Stat: %+v", info)
			}
			if _, err := os.Stat(filepath.Join(s.Root, s.Bucket, prefix, name)); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestRangesAreCutShortAtTheEnd(t *testing.T) {
	dst := open(t, targettest.StartS3(t), "p")
	b := random(1, 1000)
	if err := put(dst, t.Context(), "x", b); err != nil {
		t.Fatal(err)
	}
	if err := put(dst, t.Context(), "empty", nil); err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct{ off, n int64 }{{0, -1}, {0, 1}, {10, 20}, {990, 100}, {999, -1}, {1000, 5}, {1000, -1}, {2000, 5}, {5, 0}, {0, 0}} {
		from := min(r.off, 1000)
		to := int64(1000)
		if r.n >= 0 {
			to = min(1000, from+r.n)
		}
		if got := read(t, dst, "x", r.off, r.n); !bytes.Equal(got, b[from:to]) {
			t.Errorf("%+v: %d bytes", r, len(got))
		}
		if got := read(t, dst, "empty", r.off, r.n); len(got) != 0 {
			t.Errorf("%+v of nothing: %d bytes", r, len(got))
		}
	}
	for _, n := range []int64{-1, 0, 7} {
		_, err := dst.Open(t.Context(), "absent", 3, n)
		want(t, err, target.ErrNotExist)
	}
}

func TestOfManyWhoPutOneNameOneWins(t *testing.T) {
	for _, size := range []int{100, 2 << 20} { // the greater ones are refused while they are sent
		to := open(t, targettest.StartS3(t), "p")
		var wg sync.WaitGroup
		var won atomic.Int32
		winner := make([]byte, 0)
		for i := range 20 {
			wg.Go(func() {
				b := random(i, size)
				err := put(to, t.Context(), "one", b)
				switch {
				case err == nil && won.Add(1) == 1:
					winner = b
				case err != nil && !errors.Is(err, target.ErrExists):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d bytes: %d won", size, won.Load())
		}
		if got := read(t, to, "one", 0, -1); !bytes.Equal(got, winner) {
			t.Errorf("%d bytes: what is there is not what the winner put", size)
		}
	}
}

func TestContentWithAnotherSumIsRefused(t *testing.T) {
	to := open(t, targettest.StartS3(t), "p")
	b := random(1, 3<<20)
	sum := sha256.Sum256(b)
	b[2<<20]++
	err := to.Put(t.Context(), "x", bytes.NewReader(b), int64(len(b)), sum)
	want(t, err, nil, "400")
	if errors.Is(err, target.ErrExists) || errors.Is(err, target.ErrDenied) {
		t.Error(err)
	}
	_, err = to.Stat(t.Context(), "x")
	want(t, err, target.ErrNotExist, "s3://varve/p/x")
}

func TestListGoesOnAfterAName(t *testing.T) {
	s := targettest.StartS3(t)
	target := open(t, s, "p")
	// The folders' files are made behind the server's back, to be quick: its own names
	// with '-' and '.', which sort before '/', show whether it lists by name.
	names := []string{"a-b", "a.c", "a/b", "a/c", "b/x"}
	for i := range 2100 {
		names = append(names, fmt.Sprintf("c/%05d.seg", i))
	}
	for _, name := range names {
		path := filepath.Join(s.Root, s.Bucket, "p", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(open(t, s, "pp"), t.Context(), "other", nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		prefix, after string
		want          []string
	}{
		{"", "", names},
		{"a", "", names[:4]},
		{"a/", "", names[2:4]},
		{"", "a/b", names[3:]},
		{"c/", "a", names[5:]},
		{"c/", "c/00999.seg", names[5+1000:]},
		{"c/", "c/01500", names[5+1500:]},
		{"c/", "d", nil},
		{"absent", "", nil},
	} {
		n := 0
		for info, err := range target.List(t.Context(), c.prefix, c.after) {
			if err != nil {
				t.Fatal(err)
			}
			if n >= len(c.want) || info.Name != c.want[n] || info.Size != int64(len(info.Name)) || info.Modified.IsZero() {
				t.Fatalf("List(%q, %q): number %d is %+v", c.prefix, c.after, n, info)
			}
			n++
		}
		if n != len(c.want) {
			t.Errorf("List(%q, %q): %d names, not %d", c.prefix, c.after, n, len(c.want))
		}
	}
	for range target.List(t.Context(), "", "") {
		break // and no more is asked for
	}
}

func TestSumReadsWhatCameWithoutOne(t *testing.T) {
	s := targettest.StartS3(t)
	target := open(t, s, "p")
	b := random(1, 10000)
	if err := os.MkdirAll(filepath.Join(s.Root, s.Bucket, "p"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Root, s.Bucket, "p", "copied"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := target.Stat(t.Context(), "copied")
	if err != nil || info.SHA256 != [32]byte{} {
		t.Fatalf("Stat: %+v, %v", info, err)
	}
	info, err = target.Sum(t.Context(), "copied")
	if err != nil || info.SHA256 != sha256.Sum256(b) || info.Size != int64(len(b)) {
		t.Errorf("Sum: %+v, %v", info, err)
	}
}

func TestDeletedIsGoneAndMayBeDeletedAgain(t *testing.T) {
	to := open(t, targettest.StartS3(t), "p")
	if err := put(to, t.Context(), "a/x", random(1, 10)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := to.Delete(t.Context(), "a/x"); err != nil {
			t.Fatal(err)
		}
		_, err := to.Stat(t.Context(), "a/x")
		want(t, err, target.ErrNotExist)
	}
}

func TestNamesThatAreNoneAreRefused(t *testing.T) {
	target := open(t, targettest.StartS3(t), "p")
	for _, name := range []string{"", ".", "/a", "a/", "a//b", "../a", "a/../../b"} {
		want(t, put(target, t.Context(), name, nil), nil, "no name")
		want(t, target.Delete(t.Context(), name), nil, "no name")
		_, err := target.Sum(t.Context(), name)
		want(t, err, nil, "no name")
		_, err = target.Open(t.Context(), name, 0, 0)
		want(t, err, nil, "no name")
	}
}

// TestProbeLeavesNothingBehind: neither what it made nor what probes left that were killed,
// the age of which is told by the server's clock, whatever that says.
func TestProbeLeavesNothingBehind(t *testing.T) {
	s := targettest.StartS3(t)
	target := open(t, s, "p")
	if err := put(target, t.Context(), "x", random(1, 10)); err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{"old": 62 * time.Minute, "older-wrong": 25 * time.Hour, "young": 58 * time.Minute, "to-come": -time.Hour} {
		name = probePrefix + name
		if err := put(target, t.Context(), name, random(1, 10)); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(s.Root, s.Bucket, "p", name), then, then); err != nil {
			t.Fatal(err)
		}
	}
	if err := target.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	var names []string
	entries, err := os.ReadDir(filepath.Join(s.Root, s.Bucket, "p"))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{probePrefix + "to-come", probePrefix + "young", "x"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v, want %q", names, err, want)
	}
	n := 0
	for info, err := range target.List(t.Context(), "", "") {
		if n++; err != nil || info.Name != "x" {
			t.Errorf("%+v, %v", info, err)
		}
	}
	if n != 1 {
		t.Errorf("%d objects", n)
	}
}

func TestAnObjectIsReadOnceAsItIsSent(t *testing.T) {
	target := open(t, targettest.StartS3(t), "p")
	b := random(1, 4<<20)
	r := &countingReader{r: bytes.NewReader(b)}
	if err := target.Put(t.Context(), "x", r, int64(len(b)), sha256.Sum256(b)); err != nil {
		t.Fatal(err)
	}
	if n := r.n.Load(); n != int64(len(b)) {
		t.Errorf("%d bytes were read to send %d", n, len(b))
	}
	if most := r.most.Load(); most > 1<<20 {
		t.Errorf("%d bytes were asked for at once", most)
	}
}

// countingReader counts what is read.
type countingReader struct {
	r       io.ReaderAt
	n, most atomic.Int64
	over    atomic.Bool
	late    atomic.Int64 // reads after over
}

func (r *countingReader) ReadAt(p []byte, off int64) (int, error) {
	if r.over.Load() {
		r.late.Add(1)
	}
	if n := int64(len(p)); n > r.most.Load() {
		r.most.Store(n)
	}
	n, err := r.r.ReadAt(p, off)
	r.n.Add(int64(n))
	return n, err
}
