package archiver

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/varve-db/varve/internal/vfs"
)

// A file is made visible whole: it is written under a temporary name in its own
// folder, synced, and linked to its name. What a kill or a power cut leaves
// under a temporary name is nobody's, and is removed when it is older than
// any writer could still be at work on.
const (
	tempPrefix = ".tmp-"
	tempAge    = 24 * time.Hour
)

// newTemp returns a temporary name that nobody else has.
func newTemp() string { return tempPrefix + rand.Text() }

// removeTemps removes the temporaries in a folder that were last written before
// a time.
func removeTemps(fsys vfs.FS, dir string, before time.Time) error {
	list, err := fsys.ReadDir(dir)
	if err != nil {
		return ignoreAbsent(err)
	}
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), tempPrefix) || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err == nil && info.ModTime().Before(before) {
			err = fsys.Remove(path.Join(dir, e.Name()))
		}
		if ignoreAbsent(err) != nil {
			return err
		}
	}
	return nil
}

// writeFile makes a file with synced content. After an error it may be there
// in part.
func writeFile(fsys vfs.FS, name string, b []byte) error {
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// ignoreAbsent leaves out the error for a file that is not there.
func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// denied reports whether err says that the user may not do this.
func denied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}
