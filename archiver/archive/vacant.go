package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-db/varve/archiver/target"
)

// ErrNotEmpty is wrapped by a *NotEmptyError.
var ErrNotEmpty = errors.New("it is not empty")

// A NotEmptyError says that a target that is no archive holds something. Nothing was
// written.
type NotEmptyError struct {
	URL  string
	Name string // of something that is there

	// Archived is true if every name there is one that an archive uses: it may be an archive
	// that lost its identity.
	Archived bool
}

// Error names what is there.
func (e *NotEmptyError) Error() string {
	next := "name an empty folder or prefix for the archive"
	if e.Archived {
		next = "it holds only what an archive holds: put its identity, " + target.IdentityName + ", back from a copy, if there is one"
	}
	return fmt.Sprintf("%s: %v: %s is there; %s", e.URL, ErrNotEmpty, e.Name, next)
}

// Unwrap returns ErrNotEmpty.
func (e *NotEmptyError) Unwrap() error { return ErrNotEmpty }

// Vacant returns nil for a target that holds nothing, and else a *NotEmptyError: an archive
// shares its folder or prefix with nothing else. A target.Topped says what counts; any other
// target is listed.
func Vacant(ctx context.Context, t target.Target) error {
	names, err := target.TopNames(ctx, t, func(name string) bool { return !archived(name) })
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
	return ok || name == target.IdentityName || name == target.ReserveName
}
