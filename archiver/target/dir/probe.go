package dir

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"path"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/vfs"
)

// Probe implements target.Target. It also removes temporary files that are more than a day old.
func (d *Dir) Probe(ctx context.Context) error {
	return d.fail("probe", ".", d.probe(ctx))
}

func (d *Dir) probe(ctx context.Context) error {
	if _, err := d.fsys.Stat("."); err != nil {
		return err
	}
	content := io.NewSectionReader(zeros{}, 0, 1)
	name, sum := statefile.NewTemp(), sha256.Sum256([]byte{0})
	h := sha256.New()
	err := d.put(ctx, name, content, 1, h, has(sum, h))
	if err == nil {
		h.Reset()
		if err = d.put(ctx, name, content, 1, h, has(sum, h)); err == nil {
			err = target.ErrUnconditional
		} else if errors.Is(err, target.ErrExists) {
			err = nil
		}
	}
	return errors.Join(err, vfs.IgnoreAbsent(d.fsys.Remove(name)), d.tidy(ctx, ".", time.Now().Add(-statefile.TempAge)))
}

// zeros reads as zeros.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

// tidy removes old temporaries in a folder and in those below. Files that this user may not
// remove stay.
func (d *Dir) tidy(ctx context.Context, dir string, before time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	list, err := d.fsys.ReadDir(dir)
	if err == nil {
		err = statefile.RemoveTemps(d.fsys, dir, before)
	}
	if vfs.IsAbsent(err) || vfs.IsDenied(err) {
		return nil
	}
	for _, e := range list {
		if err == nil && e.IsDir() && target.ValidPart(e.Name()) {
			err = d.tidy(ctx, path.Join(dir, e.Name()), before)
		}
	}
	return err
}
