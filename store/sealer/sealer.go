package sealer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// Options are the options of New. The zero value works.
type Options struct {
	// Opened is called with the report where Seal opened the store, since no process had it open for
	// writing. Nil: not.
	Opened func(store.OpenReport)

	// NoRequests says that nothing may be written into the store's folder, so that no writer is
	// asked: then Seal and Settle fail with ErrNoRequests beside a writer.
	NoRequests bool
}

// ErrNoRequests is returned beside a writer with Options.NoRequests.
var ErrNoRequests = errors.New("a writer has the store open, and is not asked, since nothing is written into its folder")

// Sealer seals the log of the store in a folder. Its methods may be called from several
// goroutines, and several processes may ask one writer.
type Sealer struct {
	fsys   vfs.FS
	dir    string
	source *source.Source
	o      Options
}

// New returns the sealer of the store in the folder dir. It opens nothing.
func New(dir string, o Options) *Sealer {
	fsys := vfs.Dir(dir)
	return &Sealer{fsys: fsys, dir: dir, source: source.New(vfs.AsFS(fsys)), o: o}
}

// poll is how often the writer's answer is looked for.
const poll = 25 * time.Millisecond

// Seal returns when the objects that were in the newest log at the time of the call are in a
// sealed segment, if the oldest of them has been there for olderThan. A log without objects is
// left alone. Where no process has the store open for writing, it is opened, which recovers it after a
// crash. The error is one of store.Open, of reading or writing the folder, or why ctx ended; if
// ctx ends by its deadline, the error says what to do about a writer that does not answer.
func (s *Sealer) Seal(ctx context.Context, olderThan time.Duration) error {
	log, age, ok, err := s.source.Unsealed()
	if err != nil || !ok || age < olderThan {
		return err
	}
	for {
		sealed, err := s.try(ctx)
		if err != nil {
			return err
		}
		// The writer may have removed the file as the answer to another request, whose log
		// ended just before. Then it is asked again.
		again, _, ok, err := s.source.Unsealed()
		if err != nil || sealed && (!ok || again != log) {
			return err
		}
		if err := s.pause(ctx); err != nil {
			return err
		}
	}
}

// Settle reports whether a process has the store open for writing. If so, it returns when each
// commit that began before the call is in the store's files: a writer that answers a request to
// seal has first written all that it had. The errors are those of Seal.
func (s *Sealer) Settle(ctx context.Context) (live bool, err error) {
	for {
		live, err := s.fsys.Locked(segment.LockName)
		if err != nil || !live {
			return false, err
		}
		if s.o.NoRequests {
			return true, ErrNoRequests
		}
		if _, err := s.fsys.Stat(store.SealRequest); err == nil { // another process's, whose answer is not ours
			if err := s.pause(ctx); err != nil {
				return true, err
			}
			continue
		}
		if answered, err := s.ask(ctx); answered || err != nil {
			return true, err
		}
	}
}

// try has the log sealed in the way that fits, and reports whether it may be sealed now:
// false if the writer died, or another one came.
func (s *Sealer) try(ctx context.Context) (bool, error) {
	live, err := s.fsys.Locked(segment.LockName)
	switch {
	case err != nil:
		return false, err
	case live && s.o.NoRequests:
		return false, ErrNoRequests
	case live:
		return s.ask(ctx)
	}
	db, err := store.Open(s.dir, &store.Options{MustExist: true})
	if errors.Is(err, store.ErrLocked) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if s.o.Opened != nil {
		s.o.Opened(db.OpenReport())
	}
	_, err = db.Seal()
	return true, errors.Join(err, db.Close())
}

// pause waits a little. The error says why ctx ended, and after its deadline what to do about the
// writer.
func (s *Sealer) pause(ctx context.Context) error {
	select {
	case <-time.After(poll):
		return nil
	case <-ctx.Done():
	}
	err := context.Cause(ctx)
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%s: its writer was asked to seal the log, and did not: %w; see what the writer logs (a full disk, a failed sync), "+
		"or that it is of this version; or close it, and try again", s.dir, err)
}
