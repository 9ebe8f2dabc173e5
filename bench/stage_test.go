package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/audit"
	"github.com/varve-db/varve/archiver/backup"
	"github.com/varve-db/varve/internal/vfs"
)

// newStage returns a runner and a stage of its own.
func newStage(t *testing.T) *stage {
	dir := t.TempDir()
	r := &runner{dir: dir, n: 1000, rounds: 2, stores: []string{"varve"}, results: newResults(dir, 1000, 2), log: t.Output(),
		fixtures: filepath.Join(dir, "stores")}
	return &stage{r: r, ctx: t.Context(), name: "test", dir: t.TempDir()}
}

// TestAStoreOfAStageIsAsItSays makes one, opens it in a child, and damages and
// heals a copy.
func TestAStoreOfAStageIsAsItSays(t *testing.T) {
	s := newStage(t)
	b, err := s.store(0.01, 0)
	if err != nil {
		t.Fatal(err)
	}
	if gb := b.gigabytes(); gb < 0.009 || gb > 0.011 {
		t.Errorf("%g GB, not 0.01", gb)
	}
	if b.newest == 0 || b.newest == b.bytes {
		t.Errorf("of %d bytes %d are in the newest log", b.bytes, b.newest)
	}
	if _, err := openAndCheck(s, b); err != nil {
		t.Error(err)
	}
	for _, fromCopy := range []bool{false, true} {
		if _, err := s.repair(b, fromCopy); err != nil {
			t.Error(err)
		}
	}
}

// TestASyntheticArchiveIsOne lists, verifies and prunes it by the archiver.
func TestASyntheticArchiveIsOne(t *testing.T) {
	s := newStage(t)
	y := &synthetic{archive: filepath.Join(s.dir, "archive"), store: filepath.Join(s.dir, "store")}
	task := task{Dir: y.store, State: filepath.Join(s.dir, "receipts"), Other: y.archive, N: 20}
	if err := s.synthesize(y, task, 120, 20); err != nil {
		t.Fatal(err)
	}
	if err := y.add(121, false); err != nil {
		t.Fatal(err)
	}
	if _, err := runCatalog(&task); err != nil {
		t.Fatal(err)
	}
	if err := verifyAll(t.Context(), y.archive); err != nil {
		t.Error(err)
	}
	rep, err := auditOf(t.Context(), &task)
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Findings) > 0 || rep.Segments != 121 {
		t.Errorf("%d segments; findings from %+v", rep.Segments, rep.Findings[:min(1, len(rep.Findings))])
	}
}

// verifyAll reads every byte of every backup.
func verifyAll(ctx context.Context, dir string) error {
	a, store, err := (&task{Other: dir}).openArchive(ctx, nil)
	if err != nil {
		return err
	}
	all, err := a.Backups(ctx, store)
	for _, b := range all {
		rep, verr := backup.Verify(ctx, a, b, backup.VerifyOptions{Data: true})
		if verr != nil {
			return verr
		}
		if len(rep.Bad) > 0 {
			return errors.New(rep.Bad[0].Problem)
		}
	}
	return err
}

func auditOf(ctx context.Context, t *task) (*audit.Report, error) {
	a, _, err := t.openArchive(ctx, nil)
	if err != nil {
		return nil, err
	}
	return audit.Run(ctx, a, audit.Options{Store: vfs.AsFS(vfs.Dir(t.Dir)), Receipts: t.State})
}

// TestAStageLeavesNothing ends an experiment in its middle, by an error and from
// outside.
func TestAStageLeavesNothing(t *testing.T) {
	s := newStage(t)
	for _, how := range []string{"error", "end"} {
		ctx, stop := context.WithCancel(t.Context())
		err := s.r.run(ctx, []experiment{{name: how, act: func(s *stage) error {
			if _, err := s.store(0.01, 0); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(s.dir, "file"), nil, 0o600); err != nil {
				return err
			}
			if how == "end" {
				stop()
				_, err := s.child(task{Work: "archive", Dir: s.dir})
				return err
			}
			return errors.New("planned")
		}}})
		stop()
		if err == nil {
			t.Errorf("%s: no error", how)
		}
		if left, err := files(s.r.dir); err != nil || len(left) > 0 {
			t.Errorf("%s: left are %v, %v", how, left, err)
		}
	}
}

// TestAMissingProgramIsANote skips an experiment, and says why.
func TestAMissingProgramIsANote(t *testing.T) {
	t.Setenv("VARVE_VERSITYGW", "")
	t.Setenv("PATH", "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	s := newStage(t)
	if err := s.r.run(t.Context(), []experiment{{name: "x", act: actShipS3(0.01)}}); err != nil {
		t.Fatal(err)
	}
	if !excused(s.r.results, "x") {
		t.Errorf("notes: %q", s.r.results.Notes)
	}
	var b bytes.Buffer
	s.r.results.write(&b)
	if !strings.Contains(b.String(), "* x: skipped: no S3 server to test with: versitygw") {
		t.Errorf("the tables do not say so:\n%s", &b)
	}
}

// TestUsageSeesWhatIsUsed reads a file, takes memory, and writes.
func TestUsageSeesWhatIsUsed(t *testing.T) {
	if _, err := os.Stat("/proc/self/io"); err != nil {
		t.Skip("the system does not tell")
	}
	name := filepath.Join(t.TempDir(), "file")
	u := watchUsage()
	block := bytes.Repeat([]byte("varve"), 4<<20)
	if err := os.WriteFile(name, block, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(name); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	f := figures{}
	u.into(f)
	for _, m := range []string{"read", "written", "peak", "peak, own"} {
		if f[m] < float64(len(block)) {
			t.Errorf("%s is %g, of at least %d", m, f[m], len(block))
		}
	}
}
