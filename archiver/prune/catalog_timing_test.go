package prune

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/receipt/receipttest"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// BigCatalog, for TestTimesOfABigCatalog, is an archive of 100,000 segments and 1,000 backups of them, and the
// store that it is of, made of as few bytes as can be.
type BigCatalog struct {
	t        *testing.T
	Segments int
	Backups  int
	now      time.Time
	all      []segment.Ref
}

// NewBigCatalog writes the objects below the folder in which a target keeps them: of
// segments the names alone.
func NewBigCatalog(t *testing.T, root string) *BigCatalog {
	c := &BigCatalog{t: t, Segments: 100_000, Backups: 1000, now: time.Now().UTC().Add(-100 * time.Hour)}
	testkit.Must(t, os.MkdirAll(filepath.Dir(filepath.Join(root, archive.SegmentName(archivesim.UUID, archivesim.Refs(1, 1)[0]))), 0o700))
	for id := range segment.ID(c.Segments) {
		c.all = append(c.all, segment.Ref{Timeline: 1, ID: id + 1})
		testkit.Must(t, os.WriteFile(filepath.Join(root, archive.SegmentName(archivesim.UUID, c.all[id])), []byte("0123456789abcdef"), 0o600))
	}
	testkit.Must(t, os.MkdirAll(filepath.Join(root, archivesim.Folder("backups")), 0o700))
	for i := range c.Backups {
		tip := c.Segments - c.Backups + i
		b := &archive.Backup{ID: uint64(i + 1), Time: c.now, Store: archivesim.UUID, Tip: c.all[tip-1], Segments: segment.SetOf(c.all[:tip]...).Runs()}
		data := archivesim.Manifest(t, b)
		testkit.Must(t, os.WriteFile(filepath.Join(root, archivesim.BackupName(b.ID, "json")), data, 0o600))
	}
	return c
}

// log makes a log of which the archive has the name alone.
func (c *BigCatalog) log(id segment.ID) []byte {
	h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: archivesim.UUID, Ref: c.all[id-1], FirstSeq: uint64(id),
		Time: c.now.Add(time.Duration(id) * time.Second).UnixNano(), NextID: id + 1}, Live: segment.SetOf(c.all[:id-1]...)}
	return archivesim.Segment(c.t, h, 1, nil)
}

// Over returns a target whose logs have content.
func (c *BigCatalog) Over(t target.Target) target.Target { return lazyTarget{t, c} }

type lazyTarget struct {
	target.Target
	c *BigCatalog
}

func (l lazyTarget) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if _, ref, _, ok := archive.ParseRefName(name); ok {
		b := l.c.log(ref.ID)
		rest := b[min(off, int64(len(b))):]
		r, err := l.Target.Open(ctx, name, 0, 1) // its cost
		if err == nil {
			err = r.Close()
		}
		return io.NopCloser(&sliceReader{rest}), err
	}
	return l.Target.Open(ctx, name, off, n)
}

type sliceReader struct{ b []byte }

func (s *sliceReader) Read(p []byte) (int, error) {
	n := copy(p, s.b)
	if s.b = s.b[n:]; n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Store writes the store's folder and its receipts: of each segment but the newest
// the head alone.
func (c *BigCatalog) Store(targetID string) (dir, state string) {
	dir = c.t.TempDir()
	state = filepath.Join(dir, "receipts")
	testkit.Must(c.t, os.MkdirAll(filepath.Join(state, targetID), 0o700))
	for i, ref := range c.all {
		h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: archivesim.UUID, Ref: ref, FirstSeq: uint64(ref.ID), Time: 1, NextID: ref.ID + 1}}
		b := h.Append(nil)
		if i == len(c.all)-1 {
			b = c.log(ref.ID)
		}
		testkit.Must(c.t, os.WriteFile(filepath.Join(dir, ref.ID.String()+".seg"), b, 0o400))
		r := receipt.Receipt{Format: 1, Target: targetID, URL: "x", Store: archivesim.UUID, Segment: ref, Kind: "log", Object: archive.SegmentName(archivesim.UUID, ref), Size: 16,
			FirstSeq: uint64(ref.ID), LastSeq: uint64(ref.ID), Puts: 1}
		testkit.Must(c.t, os.WriteFile(filepath.Join(state, receipttest.Name(targetID, ref)), receipttest.File(c.t, r), 0o600))
	}
	return dir, state
}

// Time runs fn three times, and logs how long it took and how busy the machine was.
func (c *BigCatalog) Time(what string, fn func()) {
	c.t.Helper()
	for range 3 {
		begun := time.Now()
		fn()
		load, _ := os.ReadFile("/proc/loadavg")
		c.t.Logf("%-28s %8.3f s   load %.14s", what, time.Since(begun).Seconds(), load)
	}
}

// BigStore is the UUID of the store.
var BigStore = archivesim.UUID
