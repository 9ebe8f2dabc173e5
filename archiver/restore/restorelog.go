package restore

import (
	"errors"
	"iter"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// A restore ends with a log of its own timeline, as recovery does: the records of the log that
// was cut, up to the point, and none of its edits, since the header holds the set. It is closed
// in order, so that the store opens from its tables and continues this log.

// putLog writes a log with the given records and closes it. It is on the disk under
// its name when putLog returns; until then it has a temporary one.
func putLog(fsys vfs.FS, h *segment.Header, recs iter.Seq2[*segment.Record, error]) (err error) {
	if err := h.Check(); err != nil {
		return err
	}
	tmp := segment.FileName(h.Ref.ID, segment.TempExt)
	if err := vfs.IgnoreAbsent(fsys.Remove(tmp)); err != nil {
		return err
	}
	f, err := fsys.Create(tmp)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, vfs.IgnoreAbsent(fsys.Remove(tmp)))
		}
	}()
	if err := fillLog(f, h, recs); err != nil {
		return err
	}
	if err := fsys.Rename(tmp, segment.FileName(h.Ref.ID, segment.OpenExt)); err != nil {
		return err
	}
	return fsys.SyncDir(".") // the name
}

// fillLog writes the bytes of a closed log to an empty file.
func fillLog(f vfs.File, h *segment.Header, recs iter.Seq2[*segment.Record, error]) error {
	id, err := f.Identity()
	if err != nil {
		return err
	}
	w := segment.NewLogWriter(f, h)
	for rec, err := range recs {
		if err == nil {
			_, _, err = w.Add(rec)
		}
		if err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil { // before the close vouches for it
		return err
	}
	if err := w.AddClose(id.Inode, id.Birth); err != nil {
		return err
	}
	return f.Sync()
}
