package statefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/varve-db/varve/internal/vfs"
)

const maxFile = 4 << 20 // bytes of the file, far above what is written

// Replace puts a value in place of a state file, as JSON, at once and durably.
func Replace(fsys vfs.FS, name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return ReplaceBytes(fsys, name, WithCheck(b))
}

// ReplaceBytes puts a state file in place of what is there, at once and durably.
func ReplaceBytes(fsys vfs.FS, name string, b []byte) error {
	temp := NewTemp()
	if err := WriteFile(fsys, temp, b); err != nil {
		return errors.Join(err, vfs.IgnoreAbsent(fsys.Remove(temp)))
	}
	if err := fsys.Rename(temp, name); err != nil {
		return errors.Join(err, vfs.IgnoreAbsent(fsys.Remove(temp)))
	}
	return fsys.SyncDir(".")
}

// Read reads a state file.
func Read(fsys vfs.FS, name string, v any) error {
	return ReadUpTo(fsys, name, maxFile, v)
}

// ReadUpTo reads a state file of most bytes or fewer.
func ReadUpTo(fsys vfs.FS, name string, most int64, v any) error {
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, most))
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	b, err = Checked(b)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("%s: %w; remove the file, it is written again", fsys.Path(name), err)
	}
	return nil
}
