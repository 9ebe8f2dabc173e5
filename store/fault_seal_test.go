package store

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/segment"
)

// TestFailedSealIsTriedAgain lets the calls of a seal fail, the first or several,
// and sees the log sealed all the same, with the bytes that a seal gives.
func TestFailedSealIsTriedAgain(t *testing.T) {
	noLeaks(t)
	const log1, seg1, tmp1 = "00000000000000000001.open", "00000000000000000001.seg", "00000000000000000001.tmp"
	for _, c := range []struct {
		name  string
		fails int64 // so many calls
		match func(op crashfs.Op) bool
		err   error
	}{
		{"footer", 1, func(op crashfs.Op) bool { return op.Kind == crashfs.OpWrite }, syscall.EIO},
		{"half a footer", 1, func(op crashfs.Op) bool { return op.Kind == crashfs.OpWrite }, &crashfs.ShortWrite{N: 9, Err: syscall.EIO}},
		{"footer, no room", 1, func(op crashfs.Op) bool { return op.Kind == crashfs.OpWrite }, syscall.ENOSPC},
		{"half a footer, no room, twice", 2, func(op crashfs.Op) bool { return op.Kind == crashfs.OpWrite }, &crashfs.ShortWrite{N: 9, Err: syscall.ENOSPC}},
		{"sync", 1, func(op crashfs.Op) bool { return op.Kind == crashfs.OpSync }, syscall.EIO},
		{"sync of both files", 2, func(op crashfs.Op) bool { return op.Kind == crashfs.OpSync }, syscall.EIO},
		{"sync, no room", 1, func(op crashfs.Op) bool { return op.Kind == crashfs.OpSync }, syscall.ENOSPC},
		{"release", 1, func(op crashfs.Op) bool { return op.Kind == crashfs.OpRelease }, syscall.EIO},
		{"chmod", 1, func(op crashfs.Op) bool { return op.Kind == crashfs.OpChmod }, syscall.EPERM},
		{"rename", 1, func(op crashfs.Op) bool { return op.Kind == crashfs.OpRename }, syscall.EIO},
		{"rename of both files", 2, func(op crashfs.Op) bool { return op.Kind == crashfs.OpRename }, syscall.EIO},
		{"syncdir", 1, func(op crashfs.Op) bool { return op.Kind == crashfs.OpSyncDir }, syscall.EIO},
		{"reading the log", 1, func(op crashfs.Op) bool { return op.Kind == crashfs.OpRead }, syscall.EIO},
		{"reading the log, both times", 2, func(op crashfs.Op) bool { return op.Kind == crashfs.OpRead }, syscall.EIO},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fsys := crashfs.New()
			files := &counted{FS: fsys}
			db := mustOpen(t, files, Options{})
			want := map[string]string{}
			for i := range 20 {
				k := fmt.Sprintf("k%d", i)
				mustPut(t, db, k, value(k, 100))
				want[k] = value(k, 100)
			}
			eventually(t, "spare", func() bool { return db.isMarked() && db.hasSpare() })
			var failed atomic.Int64
			var sealing atomic.Bool // with reading, a seal begins
			fsys.Fail(func(op crashfs.Op) error {
				mine := op.Name == log1 || op.Name == tmp1 && op.Kind != crashfs.OpRemove || op.Kind == crashfs.OpSyncDir
				// The log's handle goes by the name that it was created under.
				if op.Kind == crashfs.OpRead && op.Name == tmp1 {
					sealing.Store(true)
				}
				if !mine || !sealing.Load() {
					return nil
				}
				if c.match(op) && failed.Add(1) <= c.fails {
					return c.err
				}
				return nil
			})
			sealed, err := db.Seal()
			if err != nil && (clear1(err) != nil || errors.Is(err, ErrPoisoned)) {
				t.Errorf("seal: %v, %v", sealed, err)
			}
			mustPut(t, db, "after", "1")
			want["after"] = "1"
			mustHold(t, db, want)
			eventually(t, "the seal", func() bool { return db.sealer.backlog() == 0 })
			if s := db.Stats(); s.SealError != "" || s.Unsealed != 0 || s.Failed != "" {
				t.Errorf("stats: %+v", s)
			}
			if failed.Load() < c.fails {
				t.Errorf("%d calls failed, want %d", failed.Load(), c.fails)
			}
			fsys.Fail(nil)
			mustHold(t, db, want)
			checkSealed(t, fsys, seg1)
			mustClose(t, db)
			if n := files.open.Load(); n != 0 {
				t.Errorf("%d handles are open", n)
			}
			for _, name := range fsys.Names() {
				if strings.HasSuffix(name, ".tmp") || name == log1 {
					t.Errorf("%s is left", name)
				}
			}
			crashed := fsys.Crash(1, crashfs.Kind{})
			checkSealed(t, crashed, seg1)
			again := mustOpen(t, crashed, Options{})
			mustHold(t, again, want)
			mustClose(t, again)
		})
	}
}

// hasSpare reports whether the next log is prepared.
func (db *DB) hasSpare() bool {
	db.spare.mu.Lock()
	defer db.spare.mu.Unlock()
	return db.spare.f != nil
}

// checkSealed makes sure that a file is what sealing its records gives, with
// the mode of a sealed segment.
func checkSealed(t *testing.T, fsys *crashfs.FS, name string) {
	t.Helper()
	b := fsys.Bytes(name)
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	f, err := r.OpenFooter()
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	footer, _, err := r.Seal(f.RecordsEnd)
	if err != nil || !bytes.Equal(b[f.RecordsEnd:], footer) {
		t.Errorf("%s: the footer is not that of its records: %v", name, err)
	}
	if info, err := fsys.Stat(name); err != nil || info.Mode().Perm() != sealMode {
		t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
	}
}

// A store whose seals fail for ever takes commits, says so, and is sealed by the next open.
func TestSealsFailForEver(t *testing.T) {
	noLeaks(t)
	fsys := crashfs.New()
	files := &counted{FS: fsys}
	db := mustOpen(t, files, Options{SegmentSize: MinSegmentSize})
	fsys.Fail(func(op crashfs.Op) error {
		if op.Kind == crashfs.OpRename {
			return syscall.EROFS
		}
		return nil
	})
	want := map[string]string{}
	within(t, "putting", func() {
		for i := range 60 {
			k := fmt.Sprintf("k%02d", i)
			mustPut(t, db, k, value(k, 500))
			want[k] = value(k, 500)
		}
	})
	mustHold(t, db, want)
	if s := db.Stats(); s.Unsealed == 0 {
		t.Errorf("stats: %+v", s)
	}
	eventually(t, "seal error in the stats", func() bool { return strings.Contains(db.Stats().SealError, "read-only file system") })
	if err := db.Close(); err == nil || clear1(err) != nil || errors.Is(err, ErrPoisoned) {
		t.Errorf("close: %v", err)
	}
	if n := files.open.Load(); n != 0 {
		t.Errorf("%d handles are open", n)
	}
	fsys.Fail(nil)
	db = mustOpen(t, fsys, Options{})
	mustHold(t, db, want)
	if n := len(db.OpenReport().Sealed); n < 5 || !db.OpenReport().Clean {
		t.Errorf("report: %+v", db.OpenReport())
	}
	mustClose(t, db)
}

// A keeper that is late must not take the file that a roll has just made for
// the spare: Close would remove it.
func TestFileOfARollIsNotTakenForTheSpare(t *testing.T) {
	noLeaks(t)
	disk := crashfs.New()
	tr := newTracer(disk)
	tr.noSpare()
	db := mustOpen(t, tr, Options{SegmentSize: MinSegmentSize})
	mustPut(t, db, "k", value("k", 3000))
	rest(t, db, false)
	atHeader, goOn := make(chan struct{}), make(chan struct{})
	disk.Fail(func(op crashfs.Op) error {
		if op.Kind == crashfs.OpWrite && op.Off == 0 && strings.HasSuffix(op.Name, "2.open") {
			close(atHeader)
			<-goOn
		}
		if op.Kind == crashfs.OpCreate && actor() == "keeper" {
			return syscall.EIO
		}
		return nil
	})
	done := make(chan error)
	go func() { done <- db.Put([]byte("l"), []byte(value("l", 3000))) }()
	<-atHeader // the file is there, without a byte
	if err := db.spare.prepare(db, 2); err != nil || db.hasSpare() {
		t.Errorf("the log is taken for the spare: %v", err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
	disk.Fail(nil)
	mustClose(t, db)
	db = mustOpen(t, disk, Options{})
	mustHold(t, db, map[string]string{"k": value("k", 3000), "l": value("l", 3000)})
	mustClose(t, db)
}
