package repair

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// executor carries out a plan.
type executor struct {
	ctx  context.Context
	fs   vfs.FS
	plan *Plan
}

func (u *executor) run() error {
	for i := range u.plan.Steps {
		s := &u.plan.Steps[i]
		if err := u.ctx.Err(); err != nil {
			return err
		}
		var err error
		switch s.Action {
		case CutTail:
			continue
		case Rename:
			err = u.rename(s)
		case SetAside:
			err = u.quarantine(s)
		case SetMode:
			err = u.setMode(s)
		default:
			err = u.replace(s)
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", s.Action, s.target(), err)
		}
		s.Done = true
	}
	return nil
}

// went notes that a file of the plan's view was moved.
func (u *executor) went(from, to string) {
	moved := u.plan.view.moved
	for origin, at := range moved {
		if at == from {
			moved[origin] = to
			return
		}
	}
	moved[from] = to
}

func (u *executor) rename(s *Step) error {
	if err := u.vacant(s.To); err != nil {
		return err
	}
	if err := u.fs.Rename(s.File, s.To); err != nil {
		return err
	}
	u.went(s.File, s.To)
	return u.fs.SyncDir(".")
}

func (u *executor) setMode(s *Step) error {
	f, err := u.fs.Open(s.File)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(s.new.mode), f.Close()); err != nil {
		return err
	}
	return u.fs.SyncDir(".")
}

func (u *executor) quarantine(s *Step) error {
	kept, err := u.describe(s)
	if err != nil {
		return err
	}
	if err := u.fs.Rename(s.File, kept); err != nil {
		return err
	}
	u.went(s.File, kept)
	s.Kept = kept
	return errors.Join(u.fs.SyncDir(integrity.QuarantineName), u.fs.SyncDir("."))
}

// vacant makes sure that no file is under a name.
func (u *executor) vacant(name string) error {
	_, err := u.fs.Stat(name)
	if err == nil {
		err = &fs.PathError{Op: "make", Path: u.fs.Path(name), Err: fs.ErrExist}
	}
	return vfs.IgnoreAbsent(err)
}

// replace puts a new file in place.
func (u *executor) replace(s *Step) (err error) {
	if s.target() != s.File {
		if err := u.vacant(s.target()); err != nil {
			return err
		}
	}
	tmp := segment.FileName(s.Segment.ID, segment.TempExt)
	if err := u.write(tmp, s); err != nil {
		return errors.Join(err, vfs.IgnoreAbsent(u.fs.Remove(tmp)))
	}
	if s.File == "" {
		if err := u.fs.Rename(tmp, s.target()); err != nil {
			return err
		}
		return u.fs.SyncDir(".")
	}
	kept, err := u.describe(s)
	if err != nil {
		return err
	}
	// With a link the segment is never without a file: the rename below puts the new
	// one in the old one's place.
	err = u.fs.Link(s.File, kept)
	linked := err == nil
	if errors.Is(err, vfs.ErrUnsupported) {
		err = u.fs.Rename(s.File, kept)
	}
	if err != nil {
		return err
	}
	u.went(s.File, kept)
	s.Kept = kept
	if err := u.fs.SyncDir(integrity.QuarantineName); err != nil { // the old file's new name, before it loses the other
		return err
	}
	if err := u.fs.Rename(tmp, s.target()); err != nil {
		return err
	}
	if linked && s.target() != s.File {
		if err := u.fs.SyncDir("."); err != nil { // the new file's name, before the old one goes
			return err
		}
		if err := u.fs.Remove(s.File); err != nil { // it has the name in quarantine
			return err
		}
	}
	return u.fs.SyncDir(".")
}

// write writes the step's file under a name, syncs it, and proves that it is what was planned.
func (u *executor) write(name string, s *Step) (err error) {
	src, err := u.plan.view.source(s.new)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := vfs.IgnoreAbsent(u.fs.Remove(name)); err != nil {
		return err
	}
	f, err := u.fs.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buf := make([]byte, min(s.new.size, 1<<20))
	for off := int64(0); off < s.new.size; {
		if err := u.ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(int64(len(buf)), s.new.size-off)]
		if n, err := src.ReadAt(b, off); n < len(b) {
			return fmt.Errorf("read at offset %d: %w", off, err)
		}
		if _, err := f.WriteAt(b, off); err != nil {
			return err
		}
		off += int64(len(b))
	}
	if err := f.Chmod(s.new.mode); err != nil {
		return err
	}
	if err := f.Sync(); err != nil { // the bytes, before the name says that they are there
		return err
	}
	return u.prove(f, s)
}

// prove reads what was written.
func (u *executor) prove(f vfs.File, s *Step) error {
	size := s.new.size
	if s.new.mode&0o200 == 0 {
		_, list, err := integrity.VerifySealed(u.ctx, f, size, integrity.VerifyOptions{Ref: s.Segment})
		if err == nil && len(list) > 0 {
			err = fmt.Errorf("what was written does not check: %s", list[0].Reason)
		}
		return err
	}
	r, err := segment.NewReader(f, size)
	if err == nil {
		_, err = integrity.Judge(nil, r, integrity.Log)
	}
	if err == nil && r.Header.Ref != s.Segment {
		err = fmt.Errorf("what was written is %v", r.Header.Ref)
	}
	return err
}

// description is the text beside a file in quarantine.
type description struct {
	Step
	Time time.Time `json:"time"`
	Size int64     `json:"size"`
}

// describe writes why a file goes to quarantine, and returns the name that it gets
// there.
func (u *executor) describe(s *Step) (kept string, err error) {
	if err := u.fs.Mkdir(integrity.QuarantineName); err != nil {
		return "", err
	}
	if err := u.fs.SyncDir("."); err != nil { // the folder's name
		return "", err
	}
	for n := 1; ; n++ {
		kept = fmt.Sprintf("%s/%s.%d", integrity.QuarantineName, s.File, n)
		_, err := u.fs.Stat(kept)
		_, err2 := u.fs.Stat(kept + ".json")
		if errors.Is(err, fs.ErrNotExist) && errors.Is(err2, fs.ErrNotExist) {
			break
		}
		if err = errors.Join(vfs.IgnoreAbsent(err), vfs.IgnoreAbsent(err2)); err != nil {
			return "", err
		}
	}
	d := description{Step: *s, Time: time.Now().UTC()}
	if info, err := u.fs.Stat(s.File); err == nil {
		d.Size = info.Size()
	}
	d.Kept, d.Done = kept, true
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return "", err
	}
	f, err := u.fs.Create(kept + ".json")
	if err != nil {
		return "", err
	}
	if _, err = f.WriteAt(append(text, '\n'), 0); err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	return kept, u.fs.SyncDir(integrity.QuarantineName)
}
