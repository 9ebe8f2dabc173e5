package archiver_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/audit"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/prune"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// liveBarrier is a writer in this process: what it has is in its files once it has synced,
// and sealed once it was asked to.
type liveBarrier struct {
	db   *store.DB // nil: none lives
	err  error
	lazy bool // it seals nothing
}

func (b *liveBarrier) Settle(context.Context) (bool, error) {
	if b.db == nil || b.err != nil || b.lazy {
		return b.db != nil, b.err
	}
	_, err := b.db.Seal()
	return true, err
}

// beats ships what a store has sealed, with heartbeats.
type beats struct {
	t   *testing.T
	l   *archivetest.Life
	v   *archivetest.Vault
	bar *liveBarrier
}

func newBeats(t *testing.T, seed uint64) *beats {
	b := &beats{t: t, l: archivetest.NewLife(t, seed), v: archivetest.NewVault(), bar: &liveBarrier{}}
	b.bar.db = b.l.DB
	b.v.Archive(t)
	return b
}

func (b *beats) once() {
	b.t.Helper()
	a, err := archiver.New(archiver.Options{Store: vfs.AsFS(vfs.Dir(b.l.Dir)), Receipts: archiver.ReceiptsDir(b.l.Dir),
		Targets: []target.Target{b.v}, Barrier: b.bar})
	testkit.Must(b.t, err)
	_, err = a.Once(b.t.Context())
	testkit.Must(b.t, err)
}

// awaitMark waits until the idle writer has vouched for all it wrote.
func (b *beats) awaitMark() {
	b.t.Helper()
	for range 2000 {
		files, _ := filepath.Glob(filepath.Join(b.l.Dir, "*.open"))
		for _, f := range files {
			if endsWithMark(f) {
				return
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.t.Fatal("the idle writer writes no mark")
}

func endsWithMark(path string) bool {
	f, err := vfs.Dir(filepath.Dir(path)).Open(filepath.Base(path))
	if err != nil {
		return false
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil || size == 0 {
		return false
	}
	r, err := segment.NewReader(f, size)
	if err != nil {
		return false
	}
	rec, err := r.RecordAt(size-segment.MarkSize, size)
	return err == nil && rec.Kind == segment.Mark
}

// names returns the heartbeats that are there.
func (b *beats) names() (names []string) {
	for info, err := range b.v.List(b.t.Context(), b.l.UUID.String()+"/heartbeat/", "") {
		testkit.Must(b.t, err)
		names = append(names, info.Name)
	}
	return names
}

func (b *beats) at(p history.Point) (*history.Plan, error) {
	a, err := archive.Open(b.t.Context(), b.v)
	testkit.Must(b.t, err)
	return history.At(b.t.Context(), a, b.l.UUID, p)
}

// later fails the test unless a moment is refused, and the error says how fresh the archive is.
func (b *beats) later(what string, at time.Time) time.Time {
	b.t.Helper()
	plan, err := b.at(history.Point{Time: at})
	e, ok := errors.AsType[*history.PointError](err)
	if !ok || !e.Later || !e.Time.Before(at) {
		b.t.Fatalf("%s: %v, %v; want an error that says how fresh the archive is", what, plan, err)
	}
	return e.Time
}

// TestAHeartbeatTellsOfAnIdleStore: a moment after the newest commit is the newest state if
// a heartbeat reaches that far, and otherwise an error that says how far it does.
func TestAHeartbeatTellsOfAnIdleStore(t *testing.T) {
	t.Parallel()
	b := newBeats(t, 21)
	for range 5 {
		b.l.Commit()
	}
	b.bar.err = errors.New("no answer")
	b.l.Seal()
	b.awaitMark()
	b.once()
	if names := b.names(); len(names) > 0 {
		t.Fatalf("the writer did not answer, and there is %q", names)
	}
	b.later("without a heartbeat", time.Now())
	b.bar.err = nil
	var moment time.Time
	for range 3 { // one takes the place of another
		moment = time.Now()
		b.once()
		if names := b.names(); len(names) != 1 {
			t.Fatalf("heartbeats: %q; want one", names)
		}
		if plan, err := b.at(history.Point{Time: moment}); err != nil || plan.Seq != b.l.Seq {
			t.Fatalf("a moment that a heartbeat covers: %+v, %v; want sequence number %d", plan, err, b.l.Seq)
		}
	}
	b.later("after the heartbeat", time.Now().Add(time.Second))
	if plan, err := b.at(history.Point{Before: time.Now().Add(time.Hour)}); err != nil || plan.Seq != b.l.Seq {
		t.Fatalf("the newest archived commit before: %+v, %v", plan, err)
	}

	// A commit after the heartbeat, archived or not, changes nothing about its moment.
	seq := b.l.Seq
	b.l.Commit()
	if plan, err := b.at(history.Point{Time: moment}); err != nil || plan.Seq != seq {
		t.Fatalf("then the store was written to: %+v, %v; want sequence number %d", plan, err, seq)
	}
	b.later("the commit is not archived", time.Now())
	b.l.Seal()
	b.awaitMark()
	now := time.Now()
	b.once()
	for _, c := range []struct {
		at   time.Time
		want uint64
	}{{moment, seq}, {now, b.l.Seq}} {
		if plan, err := b.at(history.Point{Time: c.at}); err != nil || plan.Seq != c.want {
			t.Fatalf("then that was archived: %+v, %v; want sequence number %d", plan, err, c.want)
		}
	}

	// A heartbeat that speaks of more than the archive holds says nothing.
	last := b.v.Names()[len(b.v.Names())-1]
	testkit.Must(t, b.v.Delete(t.Context(), last))
	b.later("the newest segment is lost", now)
	b.l.Close()
}

// TestWhatAHeartbeatNeeds: each state of a store's folder that does not prove that all is
// archived gets no heartbeat.
func TestWhatAHeartbeatNeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		do   func(b *beats)
		want int
	}{
		{"a live writer that is idle", func(b *beats) {}, 1},
		{"a closed store", func(b *beats) { b.l.Close(); b.bar.db = nil }, 1},
		{"a copy of a closed store", func(b *beats) {
			b.l.Close()
			b.bar.db = nil
			b.l.CopyTo(filepath.Join(b.t.TempDir(), "copy"))
		}, 0},
		{"a store whose writer was killed", func(b *beats) {
			dir := filepath.Join(b.t.TempDir(), "killed")
			b.l.CopyOpen(dir)
			b.l.Close()
			b.bar.db = nil
			b.l.Dir = dir
		}, 0},
		{"objects in the log that is not sealed, beside a writer that does not seal", func(b *beats) {
			b.bar.lazy = true
			b.l.Commit()
			testkit.Must(b.t, b.l.DB.Sync())
			b.awaitMark()
		}, 0},
		{"a commit that reaches the file only when the writer is asked", func(b *beats) {
			b.l.Commit() // buffered
		}, 1},
		{"a damaged segment", func(b *beats) {
			files, _ := filepath.Glob(filepath.Join(b.l.Dir, "*.seg"))
			data, err := os.ReadFile(files[0])
			testkit.Must(b.t, err)
			data[200] ^= 1
			testkit.Must(b.t, os.Chmod(files[0], 0o600))
			testkit.Must(b.t, os.WriteFile(files[0], data, 0o600))
		}, 0},
		{"a segment that is gone", func(b *beats) {
			b.l.Commit()
			b.l.Seal()
			b.awaitMark()
			files, _ := filepath.Glob(filepath.Join(b.l.Dir, "*.seg"))
			testkit.Must(b.t, os.Remove(files[0]))
		}, 0},
	} {
		b := newBeats(t, 22)
		for range 5 {
			b.l.Commit()
		}
		b.l.Seal()
		b.awaitMark()
		db := b.l.DB
		c.do(b)
		a, err := archiver.New(archiver.Options{Store: vfs.AsFS(vfs.Dir(b.l.Dir)), Receipts: archiver.ReceiptsDir(b.l.Dir),
			Targets: []target.Target{b.v}, Barrier: b.bar})
		testkit.Must(t, err)
		for range 2000 { // the writer's mark may come a moment later
			_, err = a.Once(t.Context())
			if len(b.names()) > 0 || c.want == 0 {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		if names := b.names(); len(names) != c.want {
			t.Errorf("%s: %d heartbeats, %v; want %d", c.what, len(names), err, c.want)
		}
		if plan, err := b.at(history.Point{Time: time.Now().Add(time.Minute)}); err == nil {
			t.Errorf("%s: the future is planned: %v", c.what, plan)
		}
		_ = db.Close()
	}
}

// TestAHeartbeatAfterAKill: an archiver that saw the writer at work on a log knows that log
// when the writer is gone. Another archiver, or this one with a copy of the log in its place,
// knows nothing.
func TestAHeartbeatAfterAKill(t *testing.T) {
	t.Parallel()
	b := newBeats(t, 26)
	b.l.Commit()
	b.l.Seal()
	b.awaitMark()
	begin := func() *archiver.Archiver {
		a, err := archiver.New(archiver.Options{Store: vfs.AsFS(vfs.Dir(b.l.Dir)), Receipts: archiver.ReceiptsDir(b.l.Dir),
			Targets: []target.Target{b.v}, Barrier: b.bar})
		testkit.Must(t, err)
		return a
	}
	covered := func(what string, a *archiver.Archiver, want bool) {
		t.Helper()
		moment := time.Now()
		_, err := a.Once(t.Context())
		testkit.Must(t, err)
		if plan, err := b.at(history.Point{Time: moment}); (err == nil) != want {
			t.Errorf("%s: %v, %v; covered: want %v", what, plan, err, want)
		}
	}
	a := begin()
	covered("beside the writer", a, true)
	b.bar.db = nil // nobody has the lock, and the files are as a kill leaves them
	covered("after the kill", a, true)
	covered("by another archiver", begin(), false)
	covered("by the first, again", a, true)
	log, err := filepath.Glob(filepath.Join(b.l.Dir, "*.open"))
	testkit.Must(t, err)
	for _, name := range log {
		data, err := os.ReadFile(name)
		testkit.Must(t, err)
		testkit.Must(t, os.WriteFile(name+".new", data, 0o600))
		testkit.Must(t, os.Rename(name+".new", name))
	}
	covered("of a copy of the log", a, false)
	_ = b.l.DB.Close()
}

// undeletable is a vault that lets nothing be deleted.
type undeletable struct{ *archivetest.Vault }

func (u undeletable) Delete(_ context.Context, name string) error {
	return fmt.Errorf("%s: %w", name, target.ErrDenied)
}

// TestHeartbeatsThatStay: where old ones cannot be removed, that is no failure, and the newest
// counts; a prune that may delete takes the old ones away, and an audit knows them.
func TestHeartbeatsThatStay(t *testing.T) {
	t.Parallel()
	b := newBeats(t, 23)
	b.l.Commit()
	b.l.Seal()
	b.l.Close()
	b.bar.db = nil
	var moment time.Time
	for range 3 {
		moment = time.Now()
		a, err := archiver.New(archiver.Options{Store: vfs.AsFS(vfs.Dir(b.l.Dir)), Receipts: archiver.ReceiptsDir(b.l.Dir),
			Targets: []target.Target{undeletable{b.v}}, Barrier: b.bar})
		testkit.Must(t, err)
		_, err = a.Once(t.Context())
		testkit.Must(t, err)
	}
	if names := b.names(); len(names) != 3 {
		t.Fatalf("heartbeats: %q; want three", names)
	}
	if plan, err := b.at(history.Point{Time: moment}); err != nil || plan.Seq != b.l.Seq {
		t.Fatalf("%+v, %v", plan, err)
	}
	arc, err := archive.Open(t.Context(), b.v)
	testkit.Must(t, err)
	audit := func() *audit.Report {
		rep, err := audit.Run(t.Context(), arc, audit.Options{Store: vfs.AsFS(vfs.Dir(b.l.Dir)), Receipts: archiver.ReceiptsDir(b.l.Dir)})
		testkit.Must(t, err)
		return rep
	}
	if rep := audit(); len(rep.Findings) > 0 || rep.Complete.Before(moment) {
		t.Fatalf("audit: complete until %v, findings %v", rep.Complete, rep.Findings)
	}
	rep, err := prune.Run(t.Context(), arc, b.l.UUID, prune.Options{})
	testkit.Must(t, err)
	if names := b.names(); len(names) != 1 || len(rep.Notes) > 0 {
		t.Fatalf("after a prune: %q; want the newest; notes %q", names, rep.Notes)
	}
	if plan, err := b.at(history.Point{Time: moment}); err != nil || plan.Seq != b.l.Seq {
		t.Fatalf("after a prune: %+v, %v", plan, err)
	}

	// One that was damaged proves nothing, and is found.
	name := b.names()[0]
	b.v.Mu.Lock()
	b.v.Objects[name][20] ^= 1
	b.v.Mu.Unlock()
	b.later("with a damaged heartbeat", moment)
	if rep := audit(); len(rep.Findings) != 1 || !strings.Contains(rep.Findings[0].Problem, name) {
		t.Fatalf("audit of a damaged heartbeat: %v", rep.Findings)
	}
}

// TestARunningArchiverBeats: Run writes a heartbeat of a store that nobody writes to.
func TestARunningArchiverBeats(t *testing.T) {
	t.Parallel()
	b := newBeats(t, 24)
	b.l.Commit()
	b.l.Seal()
	b.awaitMark()
	a, err := archiver.New(archiver.Options{Store: vfs.AsFS(vfs.Dir(b.l.Dir)), Receipts: archiver.ReceiptsDir(b.l.Dir),
		Targets: []target.Target{b.v}, Barrier: b.bar, Poll: 20 * time.Millisecond})
	testkit.Must(t, err)
	moment := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	for range 2000 {
		if len(b.names()) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	testkit.Must(t, <-done)
	if plan, err := b.at(history.Point{Time: moment}); err != nil || plan.Seq != b.l.Seq {
		t.Fatalf("%+v, %v", plan, err)
	}
	b.l.Close()
}
