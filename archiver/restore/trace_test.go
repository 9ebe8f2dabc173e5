package restore_test

import (
	"strings"
	"testing"

	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/restore"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// TestRestoreTrace keeps the calls of a restore, and of a freshening, in their order:
// each sync before what stands on it.
func TestRestoreTrace(t *testing.T) {
	f := archivetest.NewForger(t)
	f.Log(1, nil, "a=1", "b=1")
	f.Log(2, []segment.ID{1}, "a=2", "b=2")
	a := f.V.Archive(t)
	fsys := crashfs.New()
	trace := func(step func(vfs.FS) error) string {
		var lines []string
		testkit.Must(t, step(vfs.Trace(fsys, func(line string) {
			op, rest, _ := strings.Cut(line, " ")
			if op == "remove" && strings.Contains(rest, ": ") {
				return // it was not there
			}
			name, _, _ := strings.Cut(rest, " ")
			if op == "rename" {
				name = rest
			}
			lines = append(lines, op+" "+strings.ReplaceAll(name, strings.Repeat("0", 19), ""))
		})))
		return strings.Join(lines, "\n")
	}
	plan := func(seq uint64) restore.Options {
		return restore.Options{Plan: archivetest.PlanOf(t, a, f.UUID, history.Point{Seq: seq}), Parallel: 1}
	}
	built := trace(func(fsys vfs.FS) error {
		_, err := restore.BuildIn(t.Context(), a, fsys, plan(3))
		return err
	})
	if want := `lock LOCK
create RESTORING
write RESTORING
syncdir .
create 1.tmp
reserve 1.tmp
write 1.tmp
sync 1.tmp
chmod 1.tmp
create 2.tmp
reserve 2.tmp
write 2.tmp
sync 2.tmp
chmod 2.tmp
syncdir ..
create 4.tmp
write 4.tmp
sync 4.tmp
write 4.tmp
sync 4.tmp
rename 4.tmp 4.open
syncdir .
remove 2.tmp
syncdir .
rename 1.tmp 1.seg
syncdir .
remove RESTORING
syncdir .
unlock LOCK`; built != want {
		t.Errorf("a restore does\n%s\nwant\n%s", built, want)
	}
	freshened := trace(func(fsys vfs.FS) error {
		_, err := restore.FreshenIn(t.Context(), a, fsys, plan(4))
		return err
	})
	if want := `lock LOCK
create 2.tmp
reserve 2.tmp
write 2.tmp
sync 2.tmp
chmod 2.tmp
create 5.tmp
write 5.tmp
sync 5.tmp
write 5.tmp
sync 5.tmp
rename 5.tmp 5.open
syncdir .
remove 4.open
syncdir .
rename 2.tmp 2.seg
syncdir .
syncdir ..
create 6.tmp
write 6.tmp
sync 6.tmp
write 6.tmp
sync 6.tmp
rename 6.tmp 6.open
syncdir .
remove 5.open
syncdir .
unlock LOCK`; freshened != want {
		t.Errorf("freshening does\n%s\nwant\n%s", freshened, want)
	}
}
