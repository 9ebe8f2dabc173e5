package store

import (
	"fmt"
	"maps"
	"syscall"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/vfs"
)

// placed is a whole hot copy of the store in the root of fsys: to the name "copy" there, or, if
// dated, to a name by time in the folder "copies", which somebody made and nobody synced.
func placed(t *testing.T, fsys *crashfs.FS, dated, copied bool) (path string, run func() error) {
	t.Helper()
	p := &copyPlace{above: fsys, name: "copy", dated: dated, began: time.Unix(1_700_000_000, 0)}
	folder := ""
	if dated {
		if err := fsys.Mkdir("copies"); err != nil {
			t.Fatal(err)
		}
		p.above, p.name, folder = vfs.Sub(fsys, "copies"), p.began.UTC().Format(copyTime), "copies/"
	}
	p.temp = p.tempName()
	c := &hotCopy{src: fsys, root: fsys, to: folder + p.temp}
	c.o.Copy = copied
	return folder + p.name, func() error { return c.run(t.Context(), p) }
}

// TestPowerCutWhileHotCopying cuts a hot copy off after every operation: under its final name
// there is the whole copy or nothing, and once the call has returned it is there after any
// power cut.
func TestPowerCutWhileHotCopying(t *testing.T) {
	states, there := 0, 0
	for i, sc := range scenes(t) {
		for variant := range 4 {
			dated, copied := variant&1 != 0, variant&2 != 0
			if i > 3 && variant != i-3 { // of the other scenes, one variant each
				continue
			}
			seed := uint64(100*i + variant)
			what := fmt.Sprintf("%s, dated %v, copied %v, seed %d", sc.name, dated, copied, seed)
			fsys := sc.fs.Clone()
			path, run := placed(t, fsys, dated, copied)
			rec := fsys.Record()
			if err := run(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			want := files(lift(fsys, path))
			for n := rec.First(); n <= rec.Ops(); n++ {
				each := 4
				if n == rec.Ops() {
					each = len(crashfs.Kinds) + 1 // all that differ
				}
				for state, crashed := range someStates(rec.At(n), seed, each) {
					states++
					got := files(lift(crashed, path))
					_, err := crashed.Stat(path)
					if err == nil {
						there++
					}
					if ended := n == rec.Ops(); (err == nil || ended) && !maps.Equal(want, got) {
						t.Fatalf("%s: cut after operation %d of %d (%v), %v: has %v, want %v",
							what, n, rec.Ops(), rec.Op(n), state, brieflyFiles(got), brieflyFiles(want))
					}
				}
			}
			if _, err := readOnly(lift(fsys, path), resolve(t, Options{})); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	if there == 0 || there == states {
		t.Errorf("in %d of %d states the copy had its name", there, states)
	}
}

// TestEachCallOfAHotCopyFails fails each call once: the error is told, and under the final name
// there is nothing or the whole copy. Nothing is left under another one, unless the call that
// failed was to remove it.
func TestEachCallOfAHotCopyFails(t *testing.T) {
	sc := scenes(t)[3] // killed
	for _, copied := range []bool{false, true} {
		ended := false
		for n := 1; !ended; n++ {
			fsys := sc.fs.Clone()
			path, run := placed(t, fsys, true, copied)
			before, failed := fsys.Ops(), crashfs.Op{}
			fsys.Fail(func(op crashfs.Op) error {
				if op.Kind.Mutates() && op.N == before+n {
					failed = op
					return syscall.EIO
				}
				return nil
			})
			err := run()
			fsys.Fail(nil)
			if ended = failed.N == 0; ended {
				if err != nil {
					t.Fatalf("copied %v: nothing failed: %v", copied, err)
				}
				break
			}
			list, lerr := fsys.ReadDir("copies")
			if err == nil || lerr != nil || len(list) > 1 {
				t.Fatalf("copied %v, operation %d (%v) failed: %v; there are %v, %v", copied, n, failed, err, list, lerr)
			}
			if len(list) == 1 {
				if _, err := readOnly(lift(fsys, path), resolve(t, Options{})); err != nil || "copies/"+list[0].Name() != path {
					t.Fatalf("copied %v, operation %d (%v) failed: there is %s: %v", copied, n, failed, list[0].Name(), err)
				}
			}
		}
	}
}
