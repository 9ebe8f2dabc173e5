package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// StoreAround returns the folder of the store that a folder is or lies in; empty if there is
// none. The folder itself may be absent.
func StoreAround(path string) (string, error) {
	dir, err := resolved(path)
	if err != nil {
		return "", err
	}
	for {
		list, err := os.ReadDir(dir)
		if err != nil && !vfs.IsAbsent(err) && !vfs.IsDenied(err) {
			return "", err
		}
		for _, e := range list {
			if _, _, ok := segment.SegmentFile(e); ok {
				return dir, nil
			}
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", nil
		}
		dir = up
	}
}

// FolderAround reports whether the folder outer is the folder inner, or lies around it.
func FolderAround(outer, inner string) (bool, error) {
	a, err := resolved(outer)
	if err != nil {
		return false, err
	}
	b, err := resolved(inner)
	if err != nil {
		return false, err
	}
	rel, err := filepath.Rel(a, b)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)), nil
}

// resolved returns the path of a folder without links. Absent parts of it are kept as they are.
func resolved(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(abs)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(abs) != abs {
		up, err := resolved(filepath.Dir(abs))
		return filepath.Join(up, filepath.Base(abs)), err
	}
	return real, err
}
