package repair

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Options are the options of MakePlan and Run. The zero value heals what the store can heal from
// its own files.
type Options struct {
	// From is another copy of the store, or its archive. Nil: none.
	From Donor

	// Progress is called after n more bytes of the store's files were read to find what is
	// wrong. Nil: it is not called.
	Progress func(n int64)
}

// Run makes a plan and carries it out, except for CutTail, which an open of the store does
// afterwards. It holds the store's lock meanwhile. The plan that it returns says which steps are
// done, also beside an error.
//
// Nothing is deleted, except an unfinished *.tmp, and no file is edited. A new file is written as
// *.tmp, synced and read again. The old file gets a name in quarantine, with a description beside
// it. Then one rename puts the new file in place. So a repair can be cut off anywhere, and run
// again: each file is as it was, or healed. Only on a file system without hard links, a segment has
// no file between two renames.
//
// An error is one of MakePlan, or of writing.
func Run(ctx context.Context, fsys vfs.FS, o Options) (*Plan, error) {
	s, err := integrity.List(fsys)
	if err == nil {
		err = s.NoStore()
	}
	if err != nil {
		return nil, err
	}
	lock, other, err := fsys.Lock(segment.LockName, fmt.Sprintf("pid %d, repairing since %s", os.Getpid(), time.Now().UTC().Format(time.RFC3339)))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("%s: %w by %s; close it there", fsys.Path("."), err, other)
	}
	if err != nil {
		return nil, err
	}
	p, err := makePlan(ctx, fsys, &o)
	if err == nil {
		err = (&executor{ctx: ctx, fs: fsys, plan: p}).run()
	}
	return p, errors.Join(err, lock.Close())
}

// MakePlan reads the whole store in fsys, and finds out how it can be healed. It
// changes nothing, and proves each file that it would put in place: a sealed segment
// by all of its checksums, by its SHA-256 wherever the damaged file still has that, and
// by its header; a log by being sound, and by reaching as far as the damaged
// one says that it was on the disk.
//
// The error wraps vfs.ErrLocked where a process has the store open for writing,
// integrity.ErrNotStore where there is no store, or is one of listing the folder, of the other
// copy as a whole, or of the context. What is wrong with single files, whether it
// can be healed or not, is in the plan.
func MakePlan(ctx context.Context, fsys vfs.FS, o Options) (*Plan, error) {
	locked, err := fsys.Locked(segment.LockName)
	if err == nil && locked {
		err = fmt.Errorf("%s: %w by another process; close it there", fsys.Path("."), vfs.ErrLocked)
	}
	if err != nil {
		return nil, err
	}
	return makePlan(ctx, fsys, &o)
}
