package archiver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
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
	names, err := topNames(ctx, t)
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

// topNames returns the names at the top of a target, until one is none of an archive's.
func topNames(ctx context.Context, t Target) (names []string, err error) {
	if p, ok := t.(*patient); ok {
		err := p.ask(ctx, func(ctx context.Context, _ *watch) error {
			names, err = topNames(ctx, p.Target)
			return err
		})
		return names, err
	}
	top := (&Archive{target: t}).listedTop(ctx)
	if r, ok := t.(Topped); ok {
		top = r.Top(ctx)
	}
	for name, err := range top {
		if err != nil {
			return nil, err
		}
		if names = append(names, name); !archived(name) {
			break
		}
	}
	return names, nil
}

// listedTop is Topped.Top for a target that only lists its objects.
func (a *Archive) listedTop(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for after := ""; ; {
			name, err := a.next(ctx, "", after)
			if err == nil && name == "" {
				return
			}
			folder, _, deep := strings.Cut(name, "/")
			if !yield(folder, err) || err != nil {
				return
			}
			if after = name; deep {
				after = afterFolder(folder)
			}
		}
	}
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
