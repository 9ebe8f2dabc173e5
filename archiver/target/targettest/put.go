package targettest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/varve-db/varve/archiver/target"
)

func readBack(t reporter, target target.Target) {
	if target.URL() == "" {
		t.Errorf("the target has no URL")
	}
	for i, n := range []int{0, 1, 511, 4096, 100_003, 8 << 20} {
		name, b := fmt.Sprintf("a/b/%d", n), content(uint64(i), n)
		put(t, target, name, b)
		holds(t, target, name, b)
	}
}

func ranges(t reporter, target target.Target) {
	const size = 300_000
	b := content(1, size)
	put(t, target, "a", b)
	put(t, target, "empty", nil)
	for _, c := range []struct{ off, n int64 }{
		{0, -1}, {0, 0}, {0, 1}, {0, size}, {0, size + 1}, {1, -1}, {1, size}, {size - 1, 1}, {size - 1, 2}, {size - 1, -1},
		{100_000, 131_072}, {size, -1}, {size, 0}, {size, 1}, {size + 1, -1}, {1 << 40, 10}, {7, 1<<63 - 1},
	} {
		off := min(c.off, size)
		want := b[off:]
		if c.n >= 0 && c.n < size-off {
			want = b[off : off+c.n]
		}
		if got, err := read(t.Context(), target, "a", c.off, c.n); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes from %d on: got %d, %v; want %d", c.n, c.off, len(got), err, len(want))
		}
		if got, err := read(t.Context(), target, "empty", c.off, c.n); err != nil || len(got) > 0 {
			t.Errorf("empty, %d bytes from %d on: got %d, %v", c.n, c.off, len(got), err)
		}
	}
	if _, err := read(t.Context(), target, "a", -1, 10); err == nil {
		t.Errorf("read from before the start")
	}
}

func notThere(t reporter, target target.Target) {
	put(t, target, "a/b", content(1, 10))
	for _, name := range []string{"c", "a/c", "a/b/c", "a/bb", "x/y/z", "a"} {
		lacks(t, target, name)
		if err := target.Delete(t.Context(), name); err != nil {
			t.Errorf("delete %s: %v", name, err)
		}
	}
	holds(t, target, "a/b", content(1, 10))
}

func names(t reporter, target target.Target) {
	all := []string{
		"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ-upper", "0123456789", "a-b", "a_b", "a.b", "a..b", "a.", "-", "_", "--a",
		"d/a", "d-/a", "d./a", "d0/a", "1/2/3/4/5/6/7",
		"0c0ffee0-0000-4000-8000-000000000001/0123456789abcdef/00000000000000000042.seg",
		"0c0ffee0-0000-4000-8000-000000000001/0123456789abcdef/00000000000000000042.gone",
	}
	for i, name := range all {
		put(t, target, name, content(uint64(i), 100))
	}
	for i, name := range all {
		holds(t, target, name, content(uint64(i), 100))
	}
	if infos := list(t, target, "", ""); len(infos) != len(all) {
		t.Errorf("%d objects are listed, want %d", len(infos), len(all))
	}
}

func putOnce(t reporter, to target.Target) {
	b := content(1, 50_000)
	put(t, to, "a/b", b)
	for what, other := range map[string][]byte{"the same": b, "other content": content(2, 50_000), "shorter content": b[:100], "nothing": nil, "2 MiB": content(3, 2<<20)} {
		if err := tryPut(t.Context(), to, "a/b", other); !errors.Is(err, target.ErrExists) {
			t.Errorf("%s put again: %v, want ErrExists", what, err)
		}
	}
	holds(t, to, "a/b", b)
}

func racers(t reporter, to target.Target) {
	const rounds, racers = 5, 20
	for round := range rounds {
		name := fmt.Sprintf("race/%d/object", round) // the folder is raced for too
		errs := make([]error, racers)
		var start, done sync.WaitGroup
		start.Add(1)
		for i := range racers {
			done.Go(func() {
				b := content(uint64(i), 20_000+i)
				start.Wait()
				errs[i] = tryPut(t.Context(), to, name, b)
			})
		}
		start.Done()
		done.Wait()
		winner := -1
		for i, err := range errs {
			switch {
			case err == nil && winner >= 0:
				t.Errorf("%s: racers %d and %d both won", name, winner, i)
			case err == nil:
				winner = i
			case !errors.Is(err, target.ErrExists):
				t.Errorf("%s: racer %d: %v, want ErrExists", name, i, err)
			}
		}
		if winner < 0 {
			t.Fatalf("%s: nobody won", name)
		}
		holds(t, to, name, content(uint64(winner), 20_000+winner))
	}
	if infos := list(t, to, "", ""); len(infos) != rounds {
		t.Errorf("%d objects are there, want %d: %v", len(infos), rounds, infos)
	}
}

func wrongSum(t reporter, to target.Target) {
	for i, n := range []int{0, 1, 100_000, 3 << 20} {
		name, b := fmt.Sprintf("a/%d", i), content(uint64(i), n)
		sum := sha256.Sum256(b)
		sum[31]++
		err := to.Put(t.Context(), name, bytes.NewReader(b), int64(n), sum)
		if err == nil || errors.Is(err, target.ErrExists) {
			t.Errorf("%d bytes: %v", n, err)
		}
		lacks(t, to, name)
		put(t, to, name, b)
		holds(t, to, name, b)
	}
}

func shortSource(t reporter, to target.Target) {
	b := content(1, 200_000)
	err := to.Put(t.Context(), "a/b", bytes.NewReader(b[:150_000]), int64(len(b)), sha256.Sum256(b))
	if err == nil || errors.Is(err, target.ErrExists) {
		t.Errorf("put of a source that is too short: %v", err)
	}
	lacks(t, to, "a/b")
	// Of a longer source, only the stated size is stored.
	if err := to.Put(t.Context(), "a/b", bytes.NewReader(b), 1000, sha256.Sum256(b[:1000])); err != nil {
		t.Errorf("put of a source that is too long: %v", err)
	}
	holds(t, to, "a/b", b[:1000])
}

// looker is a source that looks at the target while it is read.
type looker struct {
	io.ReaderAt
	look func()
}

func (l looker) ReadAt(p []byte, off int64) (int, error) {
	l.look()
	return l.ReaderAt.ReadAt(p, off)
}

// wholeIfThere looks for an object while it is put. The target must not show a part of an
// object, at any time.
func wholeIfThere(t reporter, to target.Target) {
	b := content(1, 1<<20)
	var once sync.Once
	look := func() {
		once.Do(func() {
			info, err := to.Stat(t.Context(), "a/b")
			if err == nil || !errors.Is(err, target.ErrNotExist) {
				t.Errorf("while it is put: %+v, %v", info, err)
			}
			if infos := list(t, to, "", ""); len(infos) > 0 {
				t.Errorf("while it is put the target lists %v", infos)
			}
		})
	}
	if err := to.Put(t.Context(), "a/b", looker{bytes.NewReader(b), look}, int64(len(b)), sha256.Sum256(b)); err != nil {
		t.Errorf("put: %v", err)
	}
	holds(t, to, "a/b", b)
}

func endsEarly(t reporter, to target.Target) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := content(1, 8<<20)
	err := to.Put(ctx, "a/b", looker{bytes.NewReader(b), cancel}, int64(len(b)), sha256.Sum256(b))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a put that was cancelled while it read: %v", err)
	}
	if _, err := to.Stat(t.Context(), "a/b"); err == nil {
		holds(t, to, "a/b", b)
	} else if !errors.Is(err, target.ErrNotExist) {
		t.Errorf("stat: %v", err)
	}
}

func concurrent(t reporter, target target.Target) {
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			name, b := fmt.Sprintf("a/%d/b", i), content(uint64(i), 100_000)
			if err := tryPut(t.Context(), target, name, b); err != nil {
				t.Errorf("put %s: %v", name, err)
				return
			}
			holds(t, target, name, b)
			if i%2 == 0 {
				if err := target.Delete(t.Context(), name); err != nil {
					t.Errorf("delete %s: %v", name, err)
				}
			}
		})
	}
	wg.Wait()
	if infos := list(t, target, "a/", ""); len(infos) != 8 {
		t.Errorf("%d objects are left, want 8", len(infos))
	}
}
