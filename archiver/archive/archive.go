package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// An Archive is a target that is opened as an archive: it lists, reads and writes what lies
// there. Its methods may be called from several goroutines. It holds nothing open, so there is
// nothing to close.
type Archive struct {
	target target.Target
	ident  target.Identity

	mu      sync.Mutex // guards headers
	headers headerCache
}

// Open opens a target that has an identity. The error wraps target.ErrNoIdentity
// where it has none: an unmounted disk is not an empty archive.
func Open(ctx context.Context, t target.Target) (*Archive, error) {
	id, err := target.Identify(ctx, t)
	if err != nil {
		return nil, err
	}
	return Of(t, id), nil
}

// Of is Open for a target whose identity is known already.
func Of(t target.Target, id target.Identity) *Archive { return &Archive{target: t, ident: id} }

// Target returns what the archive was opened from.
func (a *Archive) Target() target.Target { return a.target }

// Identity returns the target's identity, as it was when the archive was opened.
func (a *Archive) Identity() target.Identity { return a.ident }

// ErrChoose is wrapped by a *ChoiceError.
var ErrChoose = errors.New("there are several to choose from")

// A ChoiceError says that the caller must choose one of several things in an archive, and lists
// them.
type ChoiceError struct {
	Where   string   // the target's URL
	What    string   // "stores", "timelines"
	Choices []string // in order
}

// Error names the choices.
func (e *ChoiceError) Error() string {
	return fmt.Sprintf("%s: there are several %s: say which: %s", e.Where, e.What, strings.Join(e.Choices, ", "))
}

// Unwrap returns ErrChoose.
func (e *ChoiceError) Unwrap() error { return ErrChoose }

// Store is a store of which an archive holds something.
type Store struct {
	UUID      segment.UUID       `json:"uuid"`
	Timelines []segment.Timeline `json:"timelines"` // of its segments, in order; none if there are only backups left
}

// Stores lists the stores in the archive, in order of UUID. It costs one request
// for each store and each of its timelines, however many segments they have.
func (a *Archive) Stores(ctx context.Context) ([]Store, error) {
	if f, ok := target.AsFoldered(a.target); ok {
		return a.storesOf(ctx, f)
	}
	var all []Store
	for after := ""; ; {
		name, err := target.FirstName(ctx, a.target, "", after)
		if err != nil || name == "" {
			return all, err
		}
		folder, _, deep := strings.Cut(name, "/")
		uuid, ok := parseUUID(folder)
		if !ok || !deep {
			after = name
			if deep {
				after = target.AfterFolder(folder)
			}
			continue
		}
		timelines, err := a.Timelines(ctx, uuid)
		if err != nil {
			return nil, err
		}
		all = append(all, Store{uuid, timelines})
		after = target.AfterFolder(folder)
	}
}

// Timelines lists the timelines of which the archive holds segments or marks of
// segments.
func (a *Archive) Timelines(ctx context.Context, store segment.UUID) ([]segment.Timeline, error) {
	if f, ok := target.AsFoldered(a.target); ok {
		return timelinesOf(ctx, f, store)
	}
	var all []segment.Timeline
	prefix := store.String() + "/"
	for after := ""; ; {
		name, err := target.FirstName(ctx, a.target, prefix, after)
		if err != nil || name == "" {
			return all, err
		}
		folder, _, _ := strings.Cut(name[len(prefix):], "/")
		if t, ok := parseTimeline(folder); ok {
			all = append(all, t)
		}
		after = target.AfterFolder(prefix + folder)
	}
}

// Store returns the store that want names: with "", the only one there is. The
// error is a *ChoiceError, or wraps target.ErrNotExist.
func (a *Archive) Store(ctx context.Context, want string) (segment.UUID, error) {
	if want != "" {
		uuid, ok := parseUUID(want)
		if !ok {
			return uuid, fmt.Errorf("%q is no UUID of a store, such as 01234567-89ab-cdef-0123-456789abcdef", want)
		}
		name, err := target.FirstName(ctx, a.target, want+"/", "")
		if err == nil && name == "" {
			err = fmt.Errorf("%s: store %s: the archive holds nothing of it: %w; if no store is named, the error lists the choices", a.target.URL(), want, target.ErrNotExist)
		}
		return uuid, err
	}
	stores, err := a.Stores(ctx)
	if err != nil {
		return segment.UUID{}, err
	}
	switch len(stores) {
	case 0:
		return segment.UUID{}, fmt.Errorf("%s: no store was archived there yet: %w", a.target.URL(), target.ErrNotExist)
	case 1:
		return stores[0].UUID, nil
	}
	e := &ChoiceError{Where: a.target.URL(), What: "stores"}
	for _, s := range stores {
		e.Choices = append(e.Choices, s.UUID.String())
	}
	return segment.UUID{}, e
}

// Stored is a segment in an archive, as a listing shows it.
type Stored struct {
	Ref      segment.Ref `json:"segment"`
	Size     int64       `json:"size"`
	Modified time.Time   `json:"modified"` // when it was stored, by the target's clock
}

// Contents is what an archive holds of one timeline, each in order of id.
type Contents struct {
	Segments []Stored
	Gone     []segment.Ref // a marker says that prune deletes, or has deleted, the segment; one that is still listed can vanish at any moment
	Gaps     []segment.Ref // a marker says that the segment is missing, and why
	Unknown  []string      // names that this program does not know
}

// Contents lists one timeline of a store, by names alone.
func (a *Archive) Contents(ctx context.Context, store segment.UUID, t segment.Timeline) (*Contents, error) {
	l := &Contents{}
	for info, err := range a.target.List(ctx, fmt.Sprintf("%v/%v/", store, t), "") {
		if err != nil {
			return nil, err
		}
		l.add(info)
	}
	return l, nil
}

// add adds an object of a listing.
func (l *Contents) add(info target.Info) {
	_, ref, ext, ok := ParseRefName(info.Name)
	switch {
	case ok && ext == "seg":
		l.Segments = append(l.Segments, Stored{ref, info.Size, info.Modified})
	case ok && ext == "gone":
		l.Gone = append(l.Gone, ref)
	case ok && ext == "gap":
		l.Gaps = append(l.Gaps, ref)
	default:
		l.Unknown = append(l.Unknown, info.Name)
	}
}

// Segments lists the segments of one timeline in order of id, by names alone. The names do not
// show which are logs and which outputs.
func (a *Archive) Segments(ctx context.Context, store segment.UUID, t segment.Timeline) ([]Stored, error) {
	l, err := a.Contents(ctx, store, t)
	if err != nil {
		return nil, err
	}
	return l.Segments, nil
}

// Find returns the index of id in segments of one timeline.
func Find(segs []Stored, id segment.ID) (int, bool) {
	return slices.BinarySearchFunc(segs, id, func(s Stored, id segment.ID) int {
		switch {
		case s.Ref.ID < id:
			return -1
		case s.Ref.ID > id:
			return 1
		}
		return 0
	})
}

// HasRef reports whether a segment is in a list in order of Ref.Compare.
func HasRef(refs []segment.Ref, ref segment.Ref) bool {
	_, found := slices.BinarySearchFunc(refs, ref, segment.Ref.Compare)
	return found
}

// maxSmall bounds the objects that are read whole into memory: manifests, pins,
// plans, marks.
const maxSmall = 64 << 20

// readSmall reads a whole object of a bounded size.
func (a *Archive) readSmall(ctx context.Context, name string) ([]byte, error) {
	r, err := a.target.Open(ctx, name, 0, maxSmall+1)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	err = errors.Join(err, r.Close())
	if err == nil && len(b) > maxSmall {
		err = fmt.Errorf("%s: larger than %d bytes: not written by varve", a.At(name), maxSmall)
	}
	return b, err
}

// At returns the URL of an object, for messages.
func (a *Archive) At(name string) string { return strings.TrimSuffix(a.target.URL(), "/") + "/" + name }
