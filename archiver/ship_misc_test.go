package archiver

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/throttle"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
)

func TestParseURL(t *testing.T) {
	here, err := filepath.Abs("x/y")
	testkit.Must(t, err)
	for in, want := range map[string]string{
		"file:///a/b": "file:///a/b",
		"/a/b":        "file:///a/b",
		"x/y":         "file://" + filepath.ToSlash(here),
		"s3://bucket": "s3://bucket",
		"s3://bucket/p/q?region=r&endpoint=https://h:1": "s3://bucket/p/q?region=r&endpoint=https://h:1",
	} {
		if u, err := target.ParseURL(in); err != nil || u.String() != want {
			t.Errorf("%s: %v, %v", in, u, err)
		}
	}
	for in, want := range map[string]string{
		"":                         "empty URL",
		"file://a/b":               "three slashes",
		"file:///a?x=1":            "three slashes",
		"s3:///prefix":             "s3://bucket/prefix",
		"ftp://host/x":             "want file:///path or s3://",
		"s3://key:hunter2@bucket/": "credentials in the environment",
		"s3://k:hunter2@%zz/":      "invalid URL escape",
		"s3://bucket/#x":           "fragment",
	} {
		if _, err := target.ParseURL(in); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// TestRateBoundsWhatIsSentToAllTargets sends 1,600 KiB at 100 KiB a second.
func TestRateBoundsWhatIsSentToAllTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := bytes.NewReader(make([]byte, 100<<10))
		limit := throttle.Limit(100 << 10)
		begin := time.Now()
		done := make(chan int)
		for range 16 {
			go func() {
				b := make([]byte, src.Len())
				n, err := throttle.Reader{Ctx: t.Context(), Src: src, Limit: limit}.ReadAt(b, 0)
				if err != nil {
					t.Error(err)
				}
				done <- n
			}()
		}
		total := 0
		for range 16 {
			total += <-done
		}
		if d := time.Since(begin); total != 1600<<10 || d < 15*time.Second || d > 17*time.Second {
			t.Errorf("%d bytes in %v", total, d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, err := (throttle.Reader{Ctx: ctx, Src: src, Limit: limit}).ReadAt(make([]byte, src.Len()), 0); err == nil {
			t.Error("it does not end with its context")
		}
	})
}

func TestAllowanceGrowsWithTheSegmentAndTheRate(t *testing.T) {
	o := Options{Timeout: time.Minute, Parallel: 4, Targets: make([]target.Target, 2)}
	if d := o.timeout().For(10); d != time.Minute {
		t.Errorf("small: %v", d)
	}
	if d := o.timeout().For(4 << 30); d != 65*time.Minute {
		t.Errorf("4 GiB: %v", d)
	}
	o.Rate = 1 << 20
	if d := o.timeout().For(64 << 20); d != 2*time.Minute+8*64*time.Second {
		t.Errorf("64 MiB at 1 MiB/s shared by 8: %v", d)
	}
}

func TestBackoffDoublesWithinBounds(t *testing.T) {
	b := target.Backoff{Base: time.Second, Most: time.Minute}
	for n, mid := range map[int]time.Duration{1: 1, 2: 2, 3: 4, 6: 32, 7: 60, 100: 60} {
		mid *= time.Second
		differ := map[time.Duration]bool{}
		for range 100 {
			d := b.After(n)
			differ[d] = true
			if d < mid/2 || d > mid*3/2 {
				t.Errorf("after %d failures %v", n, d)
			}
		}
		if len(differ) < 50 {
			t.Errorf("after %d failures there are only %d different pauses", n, len(differ))
		}
	}
}

// Busy returns an archiver that will ship, find, fail and set aside: the second of its two
// targets is full.
func Busy(t *testing.T) *Archiver {
	s := newShipScene(t, 2)
	s.add(1, 2, 3, 4)
	b, err := os.ReadFile(s.path(4))
	testkit.Must(t, err)
	b[len(b)/2] ^= 1
	testkit.Must(t, os.Chmod(s.path(4), 0o600))
	testkit.Must(t, os.WriteFile(s.path(4), b, 0o600))
	testkit.Must(t, RecordDrill(s.state(), Drill{Time: time.Unix(1.5e9, 0), URL: "mem://0"}))
	three, err := os.ReadFile(s.path(3))
	testkit.Must(t, err)
	s.targets[0].set(archive.SegmentName(shipUUID, shipRef(3)), three)
	s.targets[1].hook(func(_ context.Context, op, _ string) error {
		if op == "put" {
			return target.ErrFull
		}
		return nil
	}, nil)
	a := s.archiver(s.options())
	a.backoff = target.Backoff{Base: time.Millisecond, Most: time.Millisecond}
	return a
}

func TestStatusIsKeptAndRecounted(t *testing.T) {
	s := newShipScene(t, 1)
	if _, err := ReadStatus(vfs.AsFS(vfs.Dir(s.dir)), s.state()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before there was any: %v", err)
	}
	s.add(1, 2)
	_, err := s.archiver(s.options()).Once(t.Context())
	testkit.Must(t, err)
	s.add(3)
	old := time.Now().Add(-time.Hour)
	testkit.Must(t, os.Chtimes(s.path(3), old, old))
	st, err := readStatusNow(vfs.AsFS(vfs.Dir(s.dir)), s.receipts(), asIfWhole)
	testkit.Must(t, err)
	got := st.Targets[0]
	if got.Receipts != 2 || got.Segments != 1 || got.Bytes == 0 || got.Oldest.Segment != shipRef(3) || got.Oldest.Age < time.Hour || got.Last.IsZero() {
		t.Errorf("status %+v", got)
	}
	if p := st.Problems(time.Minute); len(p) != 1 {
		t.Errorf("problems %q", p)
	}
	if p := st.Problems(0); len(p) != 0 {
		t.Errorf("problems %q", p)
	}
	// Another archiver of the store, with another target, leaves the first one in it.
	other := newMemTarget("mem://other")
	_, err = target.Init(t.Context(), other)
	testkit.Must(t, err)
	_, err = s.archiver(s.to(other)).Once(t.Context())
	testkit.Must(t, err)
	st, err = ReadStatus(vfs.AsFS(vfs.Dir(s.dir)), s.state())
	if err != nil || len(st.Targets) != 2 || st.Targets[0].URL != "mem://other" || st.Targets[1].Last != got.Last {
		t.Errorf("status %+v, %v", st.Targets, err)
	}
	testkit.Must(t, os.WriteFile(filepath.Join(s.dir, "receipts", statusName), []byte("{"), 0o600))
	if _, err := ReadStatus(vfs.AsFS(vfs.Dir(s.dir)), s.state()); err == nil || !strings.Contains(err.Error(), "remove the file") {
		t.Errorf("damaged: %v", err)
	}
	_, err = s.archiver(s.options()).Once(t.Context()) // and it is written again
	testkit.Must(t, err)
}

func TestWatchTellsOfSealedSegments(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, err := Watch(ctx, dir)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	testkit.Must(t, err)
	testkit.Must(t, os.WriteFile(filepath.Join(dir, "a.open"), nil, 0o600))
	testkit.Must(t, os.Rename(filepath.Join(dir, "a.open"), filepath.Join(dir, "a.seg")))
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Error("nothing was told")
	}
	if _, err := Watch(ctx, filepath.Join(dir, "absent")); err == nil {
		t.Error("a folder that is not there is watched")
	}
}

func TestRunShipsWhatItIsToldOf(t *testing.T) {
	s := newShipScene(t, 1)
	s.add(1)
	o := s.options()
	o.Poll = time.Hour
	var err error
	if o.Notify, err = Watch(t.Context(), s.dir); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	testkit.Must(t, err)
	a := s.archiver(o)
	stop := s.run(a)
	wait(t, "the first segment", func() bool { return a.Status().Targets[0].Receipts == 1 })
	other := &shipScene{t: t, dir: t.TempDir(), next: s.next}
	other.add(2)
	testkit.Must(t, os.Rename(other.path(2), s.path(2)))
	wait(t, "the second segment", func() bool { return a.Status().Targets[0].Receipts == 2 })
	testkit.Must(t, stop())
	s.check(s.targets[0])
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	s := newShipScene(t, 1)
	for what, change := range map[string]func(*Options){
		"no store":        func(o *Options) { o.Store = nil },
		"no receipts":     func(o *Options) { o.Receipts = "" },
		"no target":       func(o *Options) { o.Targets = nil },
		"a target twice":  func(o *Options) { o.Targets = append(o.Targets, o.Targets[0]) },
		"a negative rate": func(o *Options) { o.Rate = -1 },
	} {
		o := s.options()
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}
