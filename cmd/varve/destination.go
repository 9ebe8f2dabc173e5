package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/varve-db/varve/internal/vfs"
)

// stepError is an error that says the next step already.
type stepError struct{ err error }

func (e *stepError) Error() string { return e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// destError says what can be done about an error of writing to a destination, which is
// not the store.
func destError(err error) error {
	step := ""
	switch {
	case errors.Is(err, fs.ErrPermission):
		step = fmt.Sprintf("user %d must be allowed to write to the destination, and to the folder that it is made in", os.Geteuid())
	case errors.Is(err, syscall.EROFS):
		step = "name a destination that is mounted for writing"
	case errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vfs.ErrDangling): // the latter says it itself
		return usagef("%w; the folder above the destination must be there", err)
	default:
		return err
	}
	return &stepError{fmt.Errorf("%w; %s", err, step)}
}

// aboutDest reports whether an error is about a file of the destination, or a folder above it,
// and not about one of the store in dir.
func aboutDest(err error, dest, dir string) bool {
	e, ok := errors.AsType[*fs.PathError](err)
	if !ok {
		return false
	}
	file, err1 := filepath.Abs(e.Path)
	dest, err2 := filepath.Abs(dest)
	dir, err3 := filepath.Abs(dir)
	if err1 != nil || err2 != nil || err3 != nil || within(file, dir) {
		return false
	}
	// What is made there first has the destination's name with more at its end.
	return strings.HasPrefix(file, dest) || within(dest, file)
}

// within reports whether a path is dir, or lies below it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}
