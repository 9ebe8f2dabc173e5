package source

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// logOf returns a sealed log with so many objects.
func logOf(t *testing.T, id segment.ID, puts int) []byte {
	t.Helper()
	h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: archivesim.UUID, Ref: segment.Ref{Timeline: 1, ID: id}, FirstSeq: 1, Time: 1e18, NextID: id + 1}}
	return archivesim.Segment(t, h, puts, nil)
}

// TestFileInThePlaceOfAnotherIsReadAgain: what was noted of a file is not believed of one
// that differs in size, time or inode, nor of one that was written to just before.
func TestFileInThePlaceOfAnotherIsReadAgain(t *testing.T) {
	times := func(path string, at int64) error { return os.Chtimes(path, time.Unix(at, 0), time.Unix(at, 0)) }
	other := func(puts int) []byte { return logOf(t, 77, puts) }
	for _, c := range []struct {
		what  string
		at    int64 // when the first was last changed
		place func(path string) error
	}{
		{"another inode", 1e9, func(path string) error {
			beside := path + ".new"
			return errors.Join(os.WriteFile(beside, other(1), 0o400), times(beside, 1e9), os.Rename(beside, path))
		}},
		{"another time", 1e9, func(path string) error {
			return errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, other(1), 0o400), times(path, 1e9+1))
		}},
		{"another size", 1e9, func(path string) error {
			return errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, other(2), 0o400), times(path, 1e9))
		}},
		{"within the grain of the clock", time.Now().Unix() + 1, func(path string) error {
			return errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, other(1), 0o400), times(path, time.Now().Unix()+1))
		}},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, segment.FileName(1, segment.SealedExt))
		testkit.Must(t, errors.Join(os.WriteFile(path, logOf(t, 1, 1), 0o400), times(path, c.at)))
		state := crashfs.New()
		src := New(vfs.AsFS(vfs.Dir(dir)))
		_, err := src.Segments()
		testkit.Must(t, err)
		src.peeks = cacheStep
		testkit.Must(t, src.Note(func(name string, b []byte) error { return statefile.ReplaceBytes(state, name, b) }))
		testkit.Must(t, c.place(path))
		src = New(vfs.AsFS(vfs.Dir(dir)))
		src.Recall(vfs.AsFS(state))
		l, err := src.Segments()
		testkit.Must(t, err)
		if len(l.Segments) != 1 || l.Segments[0].Ref.ID != 77 {
			t.Errorf("%s: %+v", c.what, l)
		}
	}
}

func TestNotesOfANewerFormatAreNotRead(t *testing.T) {
	for format := 1; format <= 2; format++ {
		state := crashfs.New()
		testkit.Must(t, statefile.Replace(state, cacheName, cacheFile{Format: format, Groups: []cacheGroup{{Store: archivesim.UUID, Timeline: 1, Kind: segment.Log, Files: [][6]uint64{{1, 1, 2, 3, 4, 5}}}}}))
		src := New(nil)
		src.Recall(vfs.AsFS(state))
		if n := len(src.known); n != 2-format {
			t.Errorf("format %d: %d files are known", format, n)
		}
	}
}
