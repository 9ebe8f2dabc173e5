package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/store"
)

// logSealer seals the log of the store in a folder: by asking its writer, and where
// none lives by opening the store. It is an archiver.Sealer and an archiver.Barrier.
type logSealer struct {
	fsys   vfs.FS
	dir    string
	source *source.Source
	opened func(store.OpenReport) // told when the store was opened
	silent bool                   // nothing may be written into the folder, so no writer is asked: for Settle alone
}

func (a *app) sealer(dir string) *logSealer {
	fsys := vfs.Dir(dir)
	return &logSealer{fsys: fsys, dir: dir, source: source.New(vfs.AsFS(fsys)), opened: a.tellRecovery}
}

// sealPoll is how often the writer's answer is looked for.
const sealPoll = 25 * time.Millisecond

// Seal implements archiver.Sealer. The error says what to do when ctx ends before
// the log is sealed.
func (s *logSealer) Seal(ctx context.Context, olderThan time.Duration) error {
	log, age, ok, err := s.source.Unsealed()
	if err != nil || !ok || age < olderThan {
		return err
	}
	for {
		sealed, err := s.try(ctx)
		if err != nil {
			return err
		}
		// The writer may have removed the file as the answer to somebody else, whose log
		// ended just before. Then it is asked again.
		again, _, ok, err := s.source.Unsealed()
		if err != nil || sealed && (!ok || again != log) {
			return err
		}
		if err := pause(ctx, sealPoll); err != nil {
			return s.unanswered(err)
		}
	}
}

// Settle implements archiver.Barrier: a writer that answers a request to seal has first
// written all that it had.
func (s *logSealer) Settle(ctx context.Context) (live bool, err error) {
	for {
		live, err := s.fsys.Locked(integrity.LockName)
		if err != nil || !live {
			return false, err
		}
		if s.silent {
			return true, errSilent
		}
		if _, err := s.fsys.Stat(store.SealRequest); err == nil { // another process's, whose answer is not ours
			if err := pause(ctx, sealPoll); err != nil {
				return true, s.unanswered(err)
			}
			continue
		}
		if answered, err := s.ask(ctx); answered || err != nil {
			return true, err
		}
	}
}

var errSilent = errors.New("a writer has the store open, and is not asked, since nothing is written into its folder")

// try has the log sealed in the way that fits, and reports whether it may be sealed now:
// false if the writer died, or another one came.
func (s *logSealer) try(ctx context.Context) (bool, error) {
	live, err := s.fsys.Locked(integrity.LockName)
	if err != nil {
		return false, err
	}
	if live {
		return s.ask(ctx)
	}
	db, err := store.Open(s.dir, &store.Options{MustExist: true})
	if errors.Is(err, store.ErrLocked) {
		return false, nil
	}
	if err != nil {
		return false, openError(err)
	}
	s.opened(db.OpenReport())
	_, err = db.Seal()
	return true, nextStep(errors.Join(err, db.Close()))
}

// ask makes the request, and waits until the writer has removed it.
func (s *logSealer) ask(ctx context.Context) (bool, error) {
	token := rand.Text()
	temp := path.Join(integrity.ReceiptsName, ".tmp-"+token)
	if err := s.fsys.Mkdir(integrity.ReceiptsName); err != nil {
		return false, nextStep(err)
	}
	if err := s.write(temp, token); err != nil {
		return false, nextStep(errors.Join(err, s.fsys.Remove(temp)))
	}
	if err := s.fsys.Rename(temp, store.SealRequest); err != nil {
		return false, nextStep(errors.Join(err, s.fsys.Remove(temp)))
	}
	for n := 1; ; n++ {
		if err := pause(ctx, sealPoll); err != nil {
			s.takeBack(token)
			return false, s.unanswered(err)
		}
		if _, err := s.fsys.Stat(store.SealRequest); err != nil {
			return errors.Is(err, fs.ErrNotExist), ignoreAbsent(err)
		}
		if n%10 != 0 {
			continue
		}
		if live, err := s.fsys.Locked(integrity.LockName); err != nil || !live {
			s.takeBack(token)
			return false, err
		}
	}
}

func (s *logSealer) write(name, token string) error {
	f, err := s.fsys.Create(name)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(token), 0)
	return errors.Join(err, f.Close())
}

// takeBack removes the request, unless it is somebody else's by now. To leave one does
// no harm: a log without objects is not sealed.
func (s *logSealer) takeBack(token string) {
	f, err := s.fsys.Open(store.SealRequest)
	if err != nil {
		return
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 64))
	if f.Close() == nil && err == nil && string(b) == token {
		_ = s.fsys.Remove(store.SealRequest)
	}
}

// unanswered is the error for a writer that does not seal.
func (s *logSealer) unanswered(err error) error {
	if _, ok := errors.AsType[*interrupted](err); ok {
		return err
	}
	return fmt.Errorf("%s: its writer was asked to seal the log, and did not: %w; see what the writer logs (a full disk, a failed sync), "+
		"or that it is of this version; or close it, and try again", s.dir, err)
}

// pause waits, and returns why ctx ended if it did so before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
