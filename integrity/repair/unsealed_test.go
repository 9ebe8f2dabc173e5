package repair_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/check"
	"github.com/varve-db/varve/integrity/internal/fixture"
	"github.com/varve-db/varve/integrity/repair"
	"github.com/varve-db/varve/internal/testkit"
)

// TestALogUnderTheNameOfASealedSegment gives the newest log the name of a sealed
// segment, its own or another's, or has it there twice: repair puts it back, and takes it
// for no damaged seal. A sealed segment that lost its end is not taken for a log. No seed:
// nothing is drawn.
func TestALogUnderTheNameOfASealedSegment(t *testing.T) {
	const first = "00000000000000000001.seg"
	for _, c := range []struct {
		name string
		harm func(dir, log string) error
	}{
		{"its own", func(dir, log string) error {
			return os.Rename(filepath.Join(dir, log), filepath.Join(dir, log[:20]+".seg"))
		}},
		{"another's that is gone, too", func(dir, log string) error {
			return os.Rename(filepath.Join(dir, log), filepath.Join(dir, first))
		}},
		{"another's, and its own", func(dir, log string) error {
			b, err := os.ReadFile(filepath.Join(dir, log))
			if err != nil {
				return err
			}
			if err := os.Remove(filepath.Join(dir, first)); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, first), b, 0o600)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := fixture.ClosedStore(t)
			logs, err := filepath.Glob(dir + "/*.open")
			if err != nil || len(logs) != 1 {
				t.Fatal(logs, err)
			}
			whole := t.TempDir()
			testkit.Must(t, os.CopyFS(whole, os.DirFS(dir)))
			testkit.Must(t, c.harm(dir, filepath.Base(logs[0])))
			plan, err := repair.Run(context.Background(), integrity.Folder(dir), repair.Options{From: repair.FolderDonor(os.DirFS(whole), "copy")})
			if err != nil || len(plan.Left) != 0 {
				t.Fatalf("%v, %+v", err, plan)
			}
			want, err := filepath.Glob(whole + "/*.*")
			testkit.Must(t, err)
			got, err := filepath.Glob(dir + "/*.*")
			testkit.Must(t, err)
			if len(got) != len(want) {
				t.Errorf("files are %q, want those of %q", got, want)
			}
			for _, f := range want {
				a, err := os.ReadFile(f)
				testkit.Must(t, err)
				b, err := os.ReadFile(filepath.Join(dir, filepath.Base(f)))
				if err != nil || !bytes.Equal(a, b) {
					t.Errorf("%s is not that of the copy: %v", filepath.Base(f), err)
				}
			}
			if rep, err := check.Run(t.Context(), os.DirFS(dir), check.Options{Level: integrity.Full}); err != nil || len(rep.Findings) != 0 {
				t.Errorf("%+v, %v", rep, err)
			}
		})
	}
	t.Run("cut", func(t *testing.T) {
		dir := fixture.ClosedStore(t)
		names, err := filepath.Glob(dir + "/*.seg")
		testkit.Must(t, err)
		last := names[len(names)-1]
		b, err := os.ReadFile(last)
		testkit.Must(t, err)
		testkit.Must(t, os.Chmod(last, 0o600))
		testkit.Must(t, os.Truncate(last, fixture.EndOfRecords(t, b)/2))
		plan, err := repair.Run(context.Background(), integrity.Folder(dir), repair.Options{})
		if err != nil || len(plan.Left) == 0 {
			t.Fatalf("%v, %+v", err, plan)
		}
		if _, err := os.Stat(last); err != nil {
			t.Errorf("it lost its name: %v", err)
		}
	})
}
