package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// HotCopyOptions of HotCopy. The zero value of each field is its default.
type HotCopyOptions struct {
	// Copy has every segment copied. By default a sealed segment, which never
	// changes, is a hard link where both folders are on one file system: that
	// takes no time and no room, and is no second copy of the bytes.
	Copy bool

	// Check is the level at which the copy is opened before it gets its name: at
	// least Log, the default; Full reads all of it.
	Check integrity.Level

	// Progress, if not nil, is called after each step.
	Progress func(HotCopyStep)
}

// HotCopyStep is a step of a hot copy that is done.
type HotCopyStep struct {
	Step  string `json:"step"`           // list, link, copy, log, check or rename
	File  string `json:"file,omitempty"` // the segment's in the copy; for rename, the copy's folder
	N     int    `json:"n"`              // segments done, the log included
	Of    int    `json:"of"`             // of so many
	Bytes int64  `json:"bytes"`          // of this step
	Done  int64  `json:"done_bytes"`     // of all segments that are done
	Total int64  `json:"total_bytes"`
}

// HotCopyReport says what a hot copy is.
type HotCopyReport struct {
	Path     string           `json:"path"` // the copy's folder
	UUID     segment.UUID     `json:"uuid"`
	Timeline segment.Timeline `json:"timeline"`
	Live     bool             `json:"live"`     // a process had the store open for writing
	LastSeq  uint64           `json:"last_seq"` // all changes up to this one are in the copy, and none after
	Time     time.Time        `json:"time"`     // of the newest commit in it
	Segments int              `json:"segments"` // the log included
	Bytes    int64            `json:"bytes"`
	Linked   int              `json:"linked"` // hard links: no second copy of the bytes
	Copied   int64            `json:"copied_bytes"`
	Objects  int64            `json:"objects"` // as the check found them
	Level    integrity.Level  `json:"level"`   // of the check
	Notes    []string         `json:"notes,omitempty"`
	Began    time.Time        `json:"began"`
	Took     time.Duration    `json:"took_ns"`
}

// HotCopy copies the store in the folder dir to dest without stopping who writes
// to it, and without a lock. The copy has everything that was acknowledged as
// being on the disk before the call, and ends where the durable part of the
// newest log ended some time during it. It opens as any copy does: read-only it
// shows that state, and an open for writing begins a timeline of its own.
//
// If dest is absent, it becomes the copy; its parent must be there. If it is a
// folder that is empty, or one of such copies, the copy gets a name in it made
// of the time, such as 2026-11-20T15-04-05Z, and each run, good or bad, a line in
// snapshots.log there. A copy appears whole and checked, or not at all.
//
// The error wraps fs.ErrExist where dest holds something else, and is otherwise
// one of OpenReadOnly, of ctx, or of writing.
func HotCopy(ctx context.Context, dir, dest string, o HotCopyOptions) (*HotCopyReport, error) {
	dir, err := storeFolder(dir)
	if err != nil {
		return nil, err
	}
	place, err := findPlace(dir, dest, time.Now())
	if err != nil {
		return nil, err
	}
	c := &hotCopy{src: vfs.Dir(dir), root: vfs.Dir("/"), from: below(dir), to: below(filepath.Join(place.parent, place.temp)), o: o}
	c.rep.Began, c.rep.Level = place.began, max(o.Check, integrity.Log)
	err = c.run(ctx, place)
	c.rep.Took = time.Since(place.began)
	if err = errors.Join(err, place.log(&c.rep, err)); err != nil {
		return nil, err
	}
	return &c.rep, nil
}

// below is an absolute path as a name in the root folder.
func below(path string) string { return strings.TrimPrefix(filepath.ToSlash(path), "/") }

// hotCopy is a copy that is being made: of the store in the folder from of root,
// in the folder to.
type hotCopy struct {
	src      vfs.FS // the folder from
	root     vfs.FS
	from, to string
	o        HotCopyOptions
	rep      HotCopyReport
	step     HotCopyStep // what is common to all steps
}

// run makes the copy under a temporary name, checks it, and gives it its name.
func (c *hotCopy) run(ctx context.Context, place *copyPlace) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, c.discard())
		}
	}()
	if err := c.fill(ctx); err != nil {
		return err
	}
	if err := c.check(vfs.Sub(place.above, place.temp)); err != nil {
		return err
	}
	c.rep.Path, err = place.giveName()
	if err == nil {
		c.did("rename", c.rep.Path, 0)
	}
	return err
}

// did tells of a step.
func (c *hotCopy) did(step, file string, bytes int64) {
	c.step.Step, c.step.File, c.step.Bytes = step, file, bytes
	c.step.Done += bytes
	if c.o.Progress != nil {
		c.o.Progress(c.step)
	}
}

// check opens the copy and makes sure that it ends where it should.
func (c *hotCopy) check(copied vfs.FS) error {
	opt, err := (&Options{Integrity: c.rep.Level}).resolved()
	if err != nil {
		return err
	}
	r, err := openReader(copied, opt)
	if err != nil {
		return fmt.Errorf("the copy does not check: %w", err)
	}
	found := r.OpenReport()
	if err := r.Close(); err != nil {
		return err
	}
	if found.UUID != c.rep.UUID || found.LastSeq != c.rep.LastSeq {
		return &CorruptError{File: copied.Path("."), Reason: fmt.Sprintf(
			"the copy does not check: it is of store %s up to sequence number %d; want store %s up to %d", found.UUID, found.LastSeq, c.rep.UUID, c.rep.LastSeq),
			Next: "look for trouble with the disk, and take the snapshot again"}
	}
	c.rep.Objects = found.Objects
	c.did("check", "", 0)
	return nil
}

// discard removes what there is of a copy that came to nothing.
func (c *hotCopy) discard() error {
	return removeCopy(c.root, c.to)
}
