package archiver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/varve-db/varve/integrity"
)

// ErrNotEmpty is wrapped by a *NotEmptyError.
var ErrNotEmpty = errors.New("it is not empty")

// A NotEmptyError says that a target that is no archive holds something. Nothing was
// written.
type NotEmptyError struct {
	URL  string
	Name string // of something that is there

	// Archived is whether all that is there is named as what an archive holds, so
	// that it may be an archive that lost its identity.
	Archived bool
}

// Error names what is there.
func (e *NotEmptyError) Error() string {
	next := "name an empty folder or prefix for the archive"
	if e.Archived {
		next = "it holds only what an archive holds: put its identity, " + identityName + ", back from a copy, if there is one"
	}
	return fmt.Sprintf("%s: %v: %s is there; %s", e.URL, ErrNotEmpty, e.Name, next)
}

// Unwrap returns ErrNotEmpty.
func (e *NotEmptyError) Unwrap() error { return ErrNotEmpty }

// Vacant returns nil for a target that holds nothing, and else a *NotEmptyError: what is
// made an archive must be the archive's alone. What counts is what a Topped target says, and
// of any other what it lists.
func Vacant(ctx context.Context, t Target) error {
	names, err := topNames(ctx, t, func(name string) bool { return !archived(name) })
	if err != nil || len(names) == 0 {
		return err
	}
	e := &NotEmptyError{URL: t.URL(), Name: names[0], Archived: true}
	if last := names[len(names)-1]; !archived(last) {
		e.Name, e.Archived = last, false
	}
	return e
}

// archived reports whether a name at the top of a target is one of an archive's.
func archived(name string) bool {
	_, ok := parseUUID(name)
	return ok || name == identityName || name == reserveName
}

// StoreAround returns the folder of the store in which a folder lies, or that it is; empty
// if it lies in none. The folder itself may be absent.
func StoreAround(path string) (string, error) {
	dir, err := resolved(path)
	if err != nil {
		return "", err
	}
	for {
		list, err := os.ReadDir(dir)
		if err != nil && !absent(err) && !denied(err) {
			return "", err
		}
		for _, e := range list {
			if _, _, ok := integrity.SegmentName(e); ok {
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

// resolved returns the path of a folder without links. What is absent of it stays as it is.
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
