package store

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/vfs"
)

// tracer keeps the calls that a store makes, by who makes them: the caller of
// the store, its keeper or its sealer. Those work at the same time, so only
// the order within each is fixed.
type tracer struct {
	vfs.FS
	disk *crashfs.FS

	mu    sync.Mutex
	lines []traced
}

type traced struct{ who, line string }

// zeros are the zeros in front of a segment's id, which goldens leave out.
var zeros = regexp.MustCompile(`\b0{10,19}`)

func newTracer(disk *crashfs.FS) *tracer {
	tr := &tracer{disk: disk}
	tr.FS = vfs.Trace(disk, func(line string) {
		if strings.HasSuffix(line, syscall.EIO.Error()) {
			return // of a keeper that is kept from preparing the next log
		}
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.lines = append(tr.lines, traced{actor(), zeros.ReplaceAllString(line, "")})
	})
	return tr
}

// actor says on whose behalf this goroutine runs.
func actor() string {
	stack := string(debug.Stack())
	switch {
	case strings.Contains(stack, "store.(*DB).keep("):
		return "keeper"
	case strings.Contains(stack, "store.(*sealer).run("):
		return "sealer"
	}
	return "caller"
}

// take returns what was traced, and begins anew.
func (tr *tracer) take() []traced {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	lines := tr.lines
	tr.lines = nil
	return lines
}

// noSpare keeps the keeper from preparing the next log.
func (tr *tracer) noSpare() {
	tr.disk.Fail(func(op crashfs.Op) error {
		if op.Kind == crashfs.OpCreate && actor() == "keeper" {
			return syscall.EIO
		}
		return nil
	})
}

// rest waits until nothing happens any more: the idle mark is written, the next
// log prepared, and every seal done.
func rest(t *testing.T, db *DB, spare bool) {
	t.Helper()
	eventually(t, "rest", func() bool {
		return db.isMarked() && db.sealer.backlog() == 0 && (!spare || db.hasSpare())
	})
}

// section prints a part of a trace.
func section(title string, lines []traced) string {
	var b strings.Builder
	fmt.Fprintf(&b, "== %s\n", title)
	for _, who := range []string{"caller", "sealer", "keeper"} {
		first := true
		for _, l := range lines {
			if l.who != who {
				continue
			}
			if first && who != "caller" {
				fmt.Fprintf(&b, "-- meanwhile, the %s\n", who)
			}
			first = false
			b.WriteString(l.line + "\n")
		}
	}
	return b.String()
}

// TestTraces compares what the store asks of the disk with testdata/traces. A file
// that is moved, or a sync that is left out, shows as a difference. Each sync in
// the goldens says behind a # what it makes durable.
func TestTraces(t *testing.T) {
	const seg = MinSegmentSize
	type scene func(t *testing.T, tr *tracer) string
	for name, run := range map[string]scene{
		"create": func(t *testing.T, tr *tracer) string {
			db := mustOpen(t, tr, Options{SegmentSize: seg})
			got := section("open, in an empty folder", tr.take())
			mustPut(t, db, "key", value("key", 100))
			rest(t, db, true)
			got += section("the first put", tr.take())
			mustClose(t, db)
			return got + section("close", tr.take())
		},
		"put": func(t *testing.T, tr *tracer) string {
			db := mustOpen(t, tr, Options{SegmentSize: seg})
			mustPut(t, db, "key", value("key", 100))
			rest(t, db, true)
			tr.take()
			mustPut(t, db, "key", value("key", 100))
			got := section("put", slices.DeleteFunc(tr.take(), func(l traced) bool { return l.who != "caller" }))
			rest(t, db, true)
			tr.take()
			if err := db.Delete([]byte("nobody")); err != nil {
				t.Error(err)
			}
			got += section("delete of a key that is not there", tr.take())
			mustClose(t, db)
			return got
		},
		"roll": func(t *testing.T, tr *tracer) string {
			tr.noSpare()
			db := mustOpen(t, tr, Options{SegmentSize: seg})
			mustPut(t, db, "key", value("key", 3000))
			rest(t, db, false)
			tr.take()
			mustPut(t, db, "key", value("key", 3000))
			rest(t, db, false)
			lines := tr.take()
			endBeforeSeal(t, lines)
			got := section("a put that rolls, the next log not prepared", lines)
			tr.disk.Fail(nil)
			mustPut(t, db, "small", "1")
			rest(t, db, true)
			tr.take()
			mustPut(t, db, "key", value("key", 3000))
			rest(t, db, true)
			lines = tr.take()
			endBeforeSeal(t, lines)
			got += section("a put that rolls, the next log prepared", lines)
			mustClose(t, db)
			return got
		},
		"seal": func(t *testing.T, tr *tracer) string {
			db := mustOpen(t, tr, Options{SegmentSize: seg})
			mustPut(t, db, "key", value("key", 100))
			rest(t, db, true)
			tr.take()
			if sealed, err := db.Seal(); !sealed || err != nil {
				t.Errorf("seal: %v, %v", sealed, err)
			}
			rest(t, db, true)
			lines := tr.take()
			endBeforeSeal(t, lines)
			got := section("seal", lines)
			if sealed, err := db.Seal(); sealed || err != nil {
				t.Errorf("second seal: %v, %v", sealed, err)
			}
			got += section("seal of a log without objects", tr.take())
			mustClose(t, db)
			return got
		},
		"close": func(t *testing.T, tr *tracer) string {
			db := mustOpen(t, tr, Options{SegmentSize: seg})
			mustPut(t, db, "key", value("key", 100))
			rest(t, db, true)
			tr.take()
			mustClose(t, db)
			got := section("close of a small log", tr.take())
			db = mustOpen(t, tr, Options{SegmentSize: seg})
			mustClose(t, db)
			got += section("open and close without a write", tr.take())
			db = mustOpen(t, tr, Options{SegmentSize: seg})
			tr.take()
			mustPut(t, db, "key", value("key", 1000))
			rest(t, db, true)
			got += section("the first put after a clean open", tr.take())
			mustClose(t, db)
			return got + section("close of a log over an eighth of the size", tr.take())
		},
		"buffered": func(t *testing.T, tr *tracer) string {
			tr.noSpare()
			db := mustOpen(t, tr, Options{SegmentSize: seg, Durability: SyncEvery(time.Hour)})
			tr.take()
			mustPut(t, db, "key", value("key", 3000))
			mustPut(t, db, "key", value("key", 3000)) // rolls
			if err := db.Sync(); err != nil {
				t.Error(err)
			}
			rest(t, db, false)
			got := section("two puts, the second rolls, and sync", tr.take())
			mustPut(t, db, "small", "1")
			mustPut(t, db, "small", "2")
			mustClose(t, db)
			return got + section("two puts and close", tr.take())
		},
		"recover": func(t *testing.T, tr *tracer) string {
			db := mustOpen(t, tr, Options{SegmentSize: seg})
			mustPut(t, db, "key", value("key", 100))
			rest(t, db, true)
			killed := tr.disk.Kill()
			mustClose(t, db)
			again := newTracer(killed)
			db = mustOpen(t, again, Options{SegmentSize: seg})
			got := section("open after a kill", again.take())
			mustClose(t, db)
			return got + section("close", again.take())
		},
	} {
		t.Run(name, func(t *testing.T) {
			compareTrace(t, name, run(t, newTracer(crashfs.New())))
		})
	}
}

// endBeforeSeal makes sure that the seal of a log begins after its End record was synced.
func endBeforeSeal(t *testing.T, lines []traced) {
	t.Helper()
	seal := slices.IndexFunc(lines, func(l traced) bool { return l.who == "sealer" })
	end := slices.IndexFunc(lines, func(l traced) bool { return strings.HasPrefix(l.line, "sync ") })
	if seal < 0 || end < 0 || seal < end {
		t.Errorf("the seal begins before the End record is on the disk: %v", lines)
	}
}

func compareTrace(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "traces", name+".txt")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; it should be\n%s", err, got)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "sync") && !strings.Contains(line, "# ") {
			t.Errorf("%s: %q does not say what it makes durable", path, line)
		}
	}
	var want strings.Builder
	for line := range strings.Lines(string(b)) {
		if line, _, _ = strings.Cut(line, "#"); strings.TrimSpace(line) != "" {
			want.WriteString(strings.TrimRight(line, " \n") + "\n")
		}
	}
	if want.String() != got {
		t.Errorf("%s is\n%s\nnow\n%s", path, want.String(), got)
	}
}
