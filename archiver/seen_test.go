package archiver

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/backup"
	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// manyLogs puts logs into a folder, with the ids from first to last. The last knows those
// before it.
func manyLogs(t testing.TB, dir string, first, last int) {
	t.Helper()
	for i := first - 1; i < last; i++ {
		ref := shipRef(i + 1)
		h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: shipUUID, Ref: ref, FirstSeq: uint64(1 + i), Time: 1e18, NextID: ref.ID + 1}}
		if i == last-1 {
			for id := 1; id < last; id++ {
				h.Live = h.Live.With(shipRef(id))
			}
		}
		path := filepath.Join(dir, ref.ID.String()+".seg")
		testkit.Must(t, os.WriteFile(path, archivesim.Segment(t, h, 1, nil), 0o400))
		old := time.Unix(1e9, int64(i))
		testkit.Must(t, os.Chtimes(path, old, old))
	}
}

// TestHeadersAreReadOnce: the next process opens only what is new, for listing, for
// shipping and for a backup. VARVE_SEGMENTS sets how many there are.
func TestHeadersAreReadOnce(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("VARVE_SEGMENTS"))
	n = max(n, source.SeenStep+44)
	s := newShipScene(t, 1)
	manyLogs(t, s.dir, 1, n)
	fsys := &countedFS{FS: vfs.AsFS(vfs.Dir(s.dir))}
	once := func(what string, most int) {
		t.Helper()
		o := s.options()
		o.Store = fsys
		fsys.opens.Store(0)
		begun := time.Now()
		_, err := s.archiver(o).Once(t.Context())
		testkit.Must(t, err)
		t.Logf("%s: %d files opened of %d, %v", what, fsys.opens.Load(), n, time.Since(begun))
		if got := int(fsys.opens.Load()); got > most {
			t.Errorf("%s: %d files opened, want no more than %d", what, got, most)
		}
	}
	backup := func(what string, most int) {
		t.Helper()
		receipts, err := receipt.Open(s.receipts())
		testkit.Must(t, err)
		a, err := archive.Open(t.Context(), s.targets[0])
		testkit.Must(t, err)
		fsys.opens.Store(0)
		b, err := backup.Create(t.Context(), a, backup.CreateOptions{Store: fsys, Receipts: receipts})
		testkit.Must(t, err)
		if b.Tip != shipRef(n) || b.Count() != n {
			t.Errorf("%s: tip %v, %d segments", what, b.Tip, b.Count())
		}
		if got := int(fsys.opens.Load()); got > most {
			t.Errorf("%s: %d files opened, want no more than %d", what, got, most)
		}
	}
	once("at first", 2*n+2) // and when the oldest commit of what waits was, at two looks
	once("again", 0)
	backup("a backup", 1) // the newest log
	manyLogs(t, s.dir, n+1, n+1)
	n++
	once("with one more", 2+2)
	backup("a backup of one more", 2)
}

// TestFileInThePlaceOfAnotherIsReadAgain: what was noted of a file is not believed of one
// that differs in size, time or inode, nor of one that was written to just before.
func TestFileInThePlaceOfAnotherIsReadAgain(t *testing.T) {
	times := func(path string, at int64) error { return os.Chtimes(path, time.Unix(at, 0), time.Unix(at, 0)) }
	other := func(size int) []byte { return logBytes(t, shipUUID, shipRef(77), 1, 3, size, time.Unix(1e9, 0), true) }
	for _, c := range []struct {
		what  string
		at    int64 // when the first was last changed
		place func(path string) error
	}{
		{"another inode", 1e9, func(path string) error {
			beside := path + ".new"
			return errors.Join(os.WriteFile(beside, other(100), 0o400), times(beside, 1e9), os.Rename(beside, path))
		}},
		{"another time", 1e9, func(path string) error {
			return errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, other(100), 0o400), times(path, 1e9+1))
		}},
		{"another size", 1e9, func(path string) error {
			return errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, other(101), 0o400), times(path, 1e9))
		}},
		{"within the grain of the clock", time.Now().Unix() + 1, func(path string) error {
			return errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, other(100), 0o400), times(path, time.Now().Unix()+1))
		}},
	} {
		s := newShipScene(t, 0)
		s.add(1)
		testkit.Must(t, times(s.path(1), c.at))
		state := crashfs.New()
		src := source.New(vfs.AsFS(vfs.Dir(s.dir)))
		_, err := src.Segments()
		testkit.Must(t, err)
		src.Peeks = source.SeenStep
		testkit.Must(t, src.Note(state))
		testkit.Must(t, c.place(s.path(1)))
		src = source.New(vfs.AsFS(vfs.Dir(s.dir)))
		src.Recall(state)
		l, err := src.Segments()
		testkit.Must(t, err)
		if len(l.Segments) != 1 || l.Segments[0].Ref != shipRef(77) {
			t.Errorf("%s: %+v", c.what, l)
		}
	}
}

// TestWhatWasNotedWronglyMakesNoWrongBackup: the newest log is read, whatever was noted.
func TestWhatWasNotedWronglyMakesNoWrongBackup(t *testing.T) {
	for wrong := 1; wrong <= 3; wrong++ {
		s := newShipScene(t, 1)
		manyLogs(t, s.dir, 1, 3)
		a := s.archiver(s.options())
		_, err := a.Once(t.Context())
		testkit.Must(t, err)
		g := a.source.Known[filepath.Base(s.path(wrong))]
		g.Ref = shipRef(9)
		a.source.Known[g.Name] = g
		a.source.Peeks = source.SeenStep
		testkit.Must(t, a.source.Note(s.receipts()))
		receipts, err := receipt.Open(s.receipts())
		testkit.Must(t, err)
		archive, err := archive.Open(t.Context(), s.targets[0])
		testkit.Must(t, err)
		b, err := backup.Create(t.Context(), archive, backup.CreateOptions{Store: vfs.AsFS(vfs.Dir(s.dir)), Receipts: receipts})
		testkit.Must(t, err)
		if b.Tip != shipRef(3) || b.Count() != 3 {
			t.Errorf("wrong for %d: tip %v, %d segments", wrong, b.Tip, b.Count())
		}
	}
}

func TestDamagedNotesAreNoLoss(t *testing.T) {
	for _, text := range []string{"", "{", `{"format":2,"groups":[{"files":[[1,2,3,4,5,6]]}]}`, `{"format":1,"groups":[{"files":[[1]]}]}`} {
		s := newShipScene(t, 1)
		s.add(1, 2)
		testkit.Must(t, errors.Join(os.Mkdir(filepath.Join(s.dir, "receipts"), 0o700), os.WriteFile(filepath.Join(s.dir, "receipts", source.SeenName), []byte(text), 0o600)))
		_, err := s.archiver(s.options()).Once(t.Context())
		testkit.Must(t, err)
		s.check(s.targets[0])
	}
}

func TestNotesOfANewerFormatAreNotRead(t *testing.T) {
	for format := 1; format <= 2; format++ {
		state := crashfs.New()
		testkit.Must(t, statefile.Replace(state, source.SeenName, source.CacheFile{Format: format, Groups: []source.CacheGroup{{Store: shipUUID, Timeline: shipLine, Kind: segment.Log, Files: [][6]uint64{{1, 1, 2, 3, 4, 5}}}}}))
		src := source.New(nil)
		src.Recall(state)
		if n := len(src.Known); n != 2-format {
			t.Errorf("format %d: %d files are known", format, n)
		}
	}
}
