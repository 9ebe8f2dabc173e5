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
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// What was read of the segments is noted in notesName, after notesAfter headers.
const (
	notesName  = "segments.json"
	notesAfter = 256
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
	n = max(n, notesAfter+44)
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
		a, err := archive.Open(t.Context(), s.targets[0])
		testkit.Must(t, err)
		fsys.opens.Store(0)
		b, err := backup.Create(t.Context(), a, backup.CreateOptions{Store: fsys, Receipts: s.state()})
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

// TestWhatWasNotedWronglyMakesNoWrongBackup: the newest log is read, whatever was noted.
func TestWhatWasNotedWronglyMakesNoWrongBackup(t *testing.T) {
	const n = notesAfter + 1
	s := newShipScene(t, 1)
	manyLogs(t, s.dir, 1, n)
	_, err := s.archiver(s.options()).Once(t.Context())
	testkit.Must(t, err)
	for _, wrong := range []uint64{1, n / 2, n} {
		notes := struct {
			Format int `json:"format"`
			Groups []struct {
				Store    segment.UUID     `json:"store"`
				Timeline segment.Timeline `json:"timeline"`
				Kind     segment.Kind     `json:"kind"`
				Files    [][6]uint64      `json:"files"` // number in the name, id, and more
			} `json:"groups"`
		}{}
		testkit.Must(t, statefile.Read(s.receipts(), notesName, &notes))
		if len(notes.Groups) != 1 || len(notes.Groups[0].Files) != n {
			t.Fatalf("noted: %+v", notes)
		}
		was := notes.Groups[0].Files[wrong-1]
		notes.Groups[0].Files[wrong-1][1] = 3 * n // the id
		testkit.Must(t, statefile.Replace(s.receipts(), notesName, notes))
		archive, err := archive.Open(t.Context(), s.targets[0])
		testkit.Must(t, err)
		b, err := backup.Create(t.Context(), archive, backup.CreateOptions{Store: vfs.AsFS(vfs.Dir(s.dir)), Receipts: s.state()})
		testkit.Must(t, err)
		if b.Tip != shipRef(n) || b.Count() != n {
			t.Errorf("wrong for %d: tip %v, %d segments", wrong, b.Tip, b.Count())
		}
		notes.Groups[0].Files[wrong-1] = was
		testkit.Must(t, statefile.Replace(s.receipts(), notesName, notes))
	}
}

func TestDamagedNotesAreNoLoss(t *testing.T) {
	for _, text := range []string{"", "{", `{"format":2,"groups":[{"files":[[1,2,3,4,5,6]]}]}`, `{"format":1,"groups":[{"files":[[1]]}]}`} {
		s := newShipScene(t, 1)
		s.add(1, 2)
		testkit.Must(t, errors.Join(os.Mkdir(filepath.Join(s.dir, "receipts"), 0o700), os.WriteFile(filepath.Join(s.dir, "receipts", notesName), []byte(text), 0o600)))
		_, err := s.archiver(s.options()).Once(t.Context())
		testkit.Must(t, err)
		s.check(s.targets[0])
	}
}
