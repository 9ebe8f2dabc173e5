package integrity

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Inventory is what a store's folder holds. The store, its check, repair and salvage, and the
// archiver as it ships and restores all use it, so that they agree.
type Inventory struct {
	FS   vfs.FS
	UUID segment.UUID // of the store whose folder it is: see owner

	// Own is the files with a sound header of this store, in order of Ref.Compare. Of several files
	// of one segment the best comes first: see better and Twice. Only ReadHeaders sets it. Survey
	// and SurveyTolerant decide between the files, and sort them into Files, Dups and Bare.
	Own []*Entry

	Files  []*Entry    // one for each segment with a sound header of this store, in order of Ref.Compare; see File
	Dups   [][2]*Entry // a sealed segment and the log it was made from
	Bare   []*Entry    // not empty, and without a usable header
	Empty  []*Entry    // logs not begun
	Alien  []*Entry    // of another store, by their headers; after Survey also in Others
	Newer  []*Entry    // of a newer version
	Unread []*Entry    // that could not be read
	Tmps   []string    // unfinished files
	Torn   []string    // what recovery cut off and kept
	Others []string    // what is not ours
	MaxID  segment.ID  // greatest id in any name or header
	Traces bool        // the folder has traces of a store, other than segments

	// Restoring reports that RestoringName is there.
	Restoring bool

	// Witness is what the last close left in the lock file, or nil. BadWitness says why it
	// cannot be used. Without a witness there is less proof; nothing else changes.
	Witness    *segment.Witness
	BadWitness error

	// Problems is what SurveyTolerant found wrong, and a tolerant Resolve.
	Problems []error

	found    []*Entry   // all with the name of a segment file, by name
	ids      *FilesByID // nil until something is looked for
	tolerate bool
}

var (
	// ErrNotStore is wrapped by the error for a folder that holds something
	// else than a store.
	ErrNotStore = errors.New("not a varve store")

	// ErrMissing is wrapped by the error where segments of the store are not
	// there; the message names them.
	ErrMissing = errors.New("segments are missing")
)

// Survey lists the folder and reads every header. The error is one of reading, of
// a newer version, or of segments that contradict each other.
func Survey(fsys vfs.FS) (*Inventory, error) { return survey(fsys, false) }

// SurveyTolerant is like Survey, but collects problems in Inventory.Problems. An error means
// that the folder cannot be listed.
func SurveyTolerant(fsys vfs.FS) (*Inventory, error) { return survey(fsys, true) }

func survey(fsys vfs.FS, tolerate bool) (*Inventory, error) {
	w, bad, unread := ReadWitness(fsys) // first, so that what is listed is no older
	s, err := List(fsys)
	if err != nil {
		return nil, err
	}
	s.tolerate = tolerate
	s.Witness, s.BadWitness = w, bad
	if err := s.problem(unread); err != nil {
		return nil, err
	}
	if err := readEntries(fsys, s.found); err != nil {
		return nil, err
	}
	for _, e := range s.found {
		if e.Err != nil && !segment.IsCorrupt(e.Err) {
			if err := s.problem(segment.InFile(fsys.Path(e.Name), e.Err)); err != nil {
				return nil, err
			}
		}
	}
	s.UUID, err = s.owner()
	if err := s.problem(err); err != nil {
		return nil, err
	}
	s.sort()
	return s, s.choose()
}

// HeaderOptions of ReadHeaders. The zero value reads every header, and finds out whose
// folder it is.
type HeaderOptions struct {
	// Owner is the store whose folder it is taken for.
	Owner segment.UUID

	// Header fills in Size, Header and Err of a file with the name of a segment, which is
	// given as it was listed. Nil: they are read from the file.
	Header func(*Entry, fs.DirEntry)

	// Unsealed reports that a file with the name of a sealed segment is a log that is not
	// sealed. It is asked once the header of the file was read. Nil: no file is.
	Unsealed func(*Entry) bool
}

// ReadHeaders lists the folder, reads every header, and sorts the files. It decides nothing
// between files that contradict each other: see Inventory.Own. An error means that the folder
// cannot be listed, or wraps ErrNotStore where two stores have equally many files: see owner.
func ReadHeaders(fsys vfs.FS, o HeaderOptions) (*Inventory, error) {
	s, err := List(fsys)
	if err != nil {
		return nil, err
	}
	if o.Header == nil {
		err = readEntries(fsys, s.found)
	} else {
		for _, e := range s.found {
			o.Header(e, e.d)
		}
	}
	for _, e := range s.found {
		if e.Sealed && err == nil && o.Unsealed != nil && o.Unsealed(e) {
			e.Sealed = false
		}
	}
	if s.UUID = o.Owner; err == nil && s.UUID == (segment.UUID{}) {
		s.UUID, err = s.owner()
	}
	if err != nil {
		return nil, err
	}
	s.sort()
	return s, nil
}

// problem returns err for a strict survey. A tolerant one notes it, and returns nil.
func (s *Inventory) problem(err error) error {
	if err == nil || !s.tolerate {
		return err
	}
	s.Problems = append(s.Problems, err)
	return nil
}

// owner returns the store whose folder this is: the one that most headers name. If two stores
// have one file each, it is the store of the first file by name: a torn first write to the
// second may have uncovered the header of some other store. If two stores have equally many
// files, and more than one, the error wraps ErrNotStore, and the store is that of the first file.
func (s *Inventory) owner() (segment.UUID, error) {
	count := map[segment.UUID]int{}
	var best, second segment.UUID
	for _, e := range s.found {
		if e.Header != nil {
			count[e.Header.UUID]++
		}
	}
	for _, e := range s.found { // by name
		if e.Header == nil || e.Header.UUID == best {
			continue
		}
		if u := e.Header.UUID; count[u] > count[best] {
			best, second = u, best
		} else if count[u] > count[second] {
			second = u
		}
	}
	if n := count[second]; n > 1 && n == count[best] {
		return best, fmt.Errorf("%s: segments of two stores, %s and %s: %w", s.FS.Path("."), best, second, ErrNotStore)
	}
	return best, nil
}

// sort puts each file into the list that its header says.
func (s *Inventory) sort() {
	s.Own, s.Bare, s.Empty, s.Alien, s.Newer, s.Unread, s.ids = nil, nil, nil, nil, nil, nil, nil
	names := map[string]bool{}
	for _, e := range s.found {
		if names[e.Name] {
			continue // listed as a log, and again when it had been sealed
		}
		names[e.Name], e.d = true, nil
		switch {
		case errors.Is(e.Err, segment.ErrVersion):
			s.Newer = append(s.Newer, e)
		case e.Err != nil && !segment.IsCorrupt(e.Err):
			s.Unread = append(s.Unread, e)
		case e.Header == nil && e.Size == 0 && !e.Sealed && e.Err == nil:
			s.Empty = append(s.Empty, e)
		case e.Header == nil:
			if e.Err == nil {
				e.Err = &segment.CorruptError{Reason: "a sealed segment without a byte"}
			}
			s.Bare = append(s.Bare, e)
		case e.Header.UUID != s.UUID:
			s.Alien = append(s.Alien, e)
		default:
			if s.Own = append(s.Own, e); !e.Misnamed() {
				s.MaxID = max(s.MaxID, e.Header.Ref.ID)
			}
		}
	}
	slices.SortFunc(s.Own, better)
}

// NewestLog returns the log with the greatest id, or nil if there is none: of Own after
// ReadHeaders, else of Files.
func (s *Inventory) NewestLog() *Entry {
	if len(s.Own) > 0 {
		return NewestOf(s.Own)
	}
	return NewestOf(s.Files)
}

// NewestOf returns the newest log among files that are in order. If it has several files, the
// first of them is returned.
func NewestOf(files []*Entry) (newest *Entry) {
	for _, e := range slices.Backward(files) {
		if newest != nil && newest.Header.Ref != e.Header.Ref {
			break
		}
		if e.Header.Kind == segment.Log {
			newest = e
		}
	}
	return newest
}

// File returns the file of a segment in Files, nil if there is none.
func (s *Inventory) File(ref segment.Ref) *Entry {
	i, found := searchFiles(s.Files, ref)
	if !found {
		return nil
	}
	return s.Files[i]
}

func searchFiles(files []*Entry, ref segment.Ref) (i int, found bool) {
	return slices.BinarySearchFunc(files, ref, func(e *Entry, ref segment.Ref) int { return e.Header.Ref.Compare(ref) })
}

// FilesOf returns the files in Own of a segment.
func (s *Inventory) FilesOf(ref segment.Ref) []*Entry {
	i, _ := searchFiles(s.Own, ref)
	n := i
	for n < len(s.Own) && s.Own[n].Header.Ref == ref {
		n++
	}
	return s.Own[i:n:n]
}

// Headerless returns the files without a usable header: those in Bare and in Unread.
func (s *Inventory) Headerless() []*Entry { return byName(s.Bare, s.Unread) }

func byName(lists ...[]*Entry) []*Entry {
	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b *Entry) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// None reports whether no file in the folder has the name of a segment.
func (s *Inventory) None() bool { return len(s.found) == 0 }
