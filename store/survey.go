package store

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// entry is one segment file as it was found. Files go by their headers, not by
// their names; a name matters only where there is no header.
type entry struct {
	name   string
	id     segment.ID // by the name
	sealed bool       // by the name
	size   int64
	mode   fs.FileMode
	hdr    *segment.Header // nil: none that is sound
	err    error           // why
}

// survey is what a folder holds.
type survey struct {
	fs     vfs.FS
	uuid   segment.UUID
	files  []*entry               // with a sound header of this store, by id
	byRef  map[segment.Ref]*entry //
	bare   []*entry               // without a sound header, but not empty
	empty  []*entry               // logs not begun
	dups   [][2]*entry            // a sealed segment and the log it was made from
	tmps   []string               // unfinished files
	others []string               // what is not ours
	alien  []*entry               // logs of another store, by their headers; in others, too
	maxID  segment.ID             // greatest id in any name or header
	spoor  bool                   // there are traces of a store without segments
}

// look lists the folder and reads every header. The error is one of reading, of
// a newer version, or of segments that contradict each other.
func look(fsys vfs.FS) (*survey, error) {
	s, found, err := list(fsys)
	if err != nil {
		return nil, err
	}
	readHeaders(fsys, found)
	for _, e := range found {
		if e.err != nil && !isCorrupt(e.err) {
			return nil, inFile(fsys.Path(e.name), e.err)
		}
	}
	s.uuid, err = s.owner(found)
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		if err := s.place(e); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(s.files, func(a, b *entry) int { return a.hdr.Ref.Compare(b.hdr.Ref) })
	return s, nil
}

// list sorts the names in the folder, and returns those of segments.
func list(fsys vfs.FS) (s *survey, found []*entry, err error) {
	s = &survey{fs: fsys, byRef: map[segment.Ref]*entry{}}
	names, err := fsys.ReadDir(".")
	if err != nil {
		return nil, nil, tooManyFiles(err)
	}
	for _, d := range names {
		if e := s.sort(d); e != nil {
			found = append(found, e)
			s.maxID = max(s.maxID, e.id)
		}
	}
	return s, found, nil
}

func isCorrupt(err error) bool {
	_, ok := asCorrupt(err)
	return ok
}

func asCorrupt(err error) (*CorruptError, bool) {
	return errors.AsType[*CorruptError](err)
}

// sort notes what a name says, and returns an entry for a segment file.
func (s *survey) sort(d fs.DirEntry) *entry {
	name := d.Name()
	base, ext, _ := strings.Cut(name, ".")
	id, err := strconv.ParseUint(base, 10, 64)
	numbered := err == nil && len(base) == 20 && d.Type().IsRegular()
	switch {
	case numbered && (ext == "seg" || ext == "open"):
		return &entry{name: name, id: segment.ID(id), sealed: ext == "seg"}
	case numbered && ext == "tmp":
		s.tmps = append(s.tmps, name)
		s.maxID = max(s.maxID, segment.ID(id)) // its header may come up again in a freed block
	case numbered && strings.HasSuffix(name, ".torn"), name == "quarantine", name == "receipts", name == "scrub.json":
		s.spoor = true
	case name == lockName:
	default:
		s.others = append(s.others, name)
	}
	return nil
}

// readHeaders fills in the entries, a few at a time: opening thousands of files
// is mostly waiting.
func readHeaders(fsys vfs.FS, found []*entry) {
	const workers = 8
	var wg sync.WaitGroup
	for w := range min(workers, len(found)) {
		wg.Go(func() {
			for i := w; i < len(found); i += workers {
				found[i].read(fsys)
			}
		})
	}
	wg.Wait()
}

func (e *entry) read(fsys vfs.FS) {
	f, err := fsys.Open(e.name)
	if err != nil {
		e.err = tooManyFiles(err)
		return
	}
	defer f.Close()
	if e.size, e.err = f.Size(); e.err != nil || e.size == 0 {
		return
	}
	r, err := segment.NewReader(f, e.size)
	if err != nil {
		e.err = err
		return
	}
	e.hdr = r.Header
	if info, err := fsys.Stat(e.name); err == nil {
		e.mode = info.Mode()
	}
}

// tooManyFiles says what to do where the process has no more file handles.
func tooManyFiles(err error) error {
	if vfs.IsTooManyFiles(err) {
		return fmt.Errorf("%w: raise the limit of open files (ulimit -n)", err)
	}
	return err
}

// owner decides whose folder this is: the store that most headers name. Of two
// that have one file each it is that of the first, since a torn first write to
// the second may have uncovered a header of some other store.
func (s *survey) owner(found []*entry) (segment.UUID, error) {
	count := map[segment.UUID]int{}
	var best, second segment.UUID
	for _, e := range found {
		if e.hdr != nil {
			count[e.hdr.UUID]++
		}
	}
	for _, e := range found { // by name
		if e.hdr == nil || e.hdr.UUID == best {
			continue
		}
		if u := e.hdr.UUID; count[u] > count[best] {
			best, second = u, best
		} else if count[u] > count[second] {
			second = u
		}
	}
	if n := count[second]; n > 1 && n == count[best] {
		return best, fmt.Errorf("%s: segments of two stores, %s and %s: %w", s.fs.Path("."), best, second, ErrNotStore)
	}
	return best, nil
}

// place puts an entry where it belongs.
func (s *survey) place(e *entry) error {
	switch {
	case e.hdr == nil && e.size == 0 && !e.sealed && e.err == nil:
		s.empty = append(s.empty, e)
	case e.hdr == nil:
		if e.err == nil {
			e.err = &CorruptError{Reason: "a sealed segment without a byte"}
		}
		s.bare = append(s.bare, e)
	case e.hdr.UUID != s.uuid:
		s.others = append(s.others, e.name)
		if !e.sealed {
			s.alien = append(s.alien, e)
		}
	case !e.sealed && !e.fits():
		// What a torn first write uncovers may be the header of a freed file.
		s.demote(e, "under the name of another log; rename it")
	default:
		s.maxID = max(s.maxID, e.hdr.Ref.ID)
		if o := s.byRef[e.hdr.Ref]; o != nil {
			return s.twice(o, e)
		}
		s.byRef[e.hdr.Ref] = e
		s.files = append(s.files, e)
	}
	return nil
}

// demote makes e a file without a sound header.
func (s *survey) demote(e *entry, reason string) {
	e.err = &CorruptError{Segment: e.hdr.Ref, Reason: fmt.Sprintf("the header of %s, %s", e.hdr.Ref, reason)}
	if s.byRef[e.hdr.Ref] == e {
		delete(s.byRef, e.hdr.Ref)
		s.files = slices.DeleteFunc(s.files, func(o *entry) bool { return o == e })
	}
	e.hdr = nil
	s.bare = append(s.bare, e)
}

// twice decides between two files of the same segment: a seal that was written
// anew may have left the log it was made from.
func (s *survey) twice(a, b *entry) error {
	if b.sealed {
		a, b = b, a
	}
	if a.sealed && !b.sealed && a.id == b.id {
		s.dups = append(s.dups, [2]*entry{a, b})
		s.byRef[a.hdr.Ref] = a
		if i := slices.Index(s.files, b); i >= 0 {
			s.files[i] = a
		}
		return nil
	}
	if a.fits() == b.fits() {
		return &CorruptError{File: s.fs.Path(b.name), Segment: b.hdr.Ref, Reason: "the same segment is in " + a.name,
			Next: "move one of them out of the folder"}
	}
	if b.fits() {
		a, b = b, a
	}
	s.demote(b, "under the name of another; move it out of the folder")
	if s.byRef[a.hdr.Ref] == nil {
		s.byRef[a.hdr.Ref] = a
		s.files = append(s.files, a)
	}
	return nil
}

// fits reports whether the name is that of the segment.
func (e *entry) fits() bool { return e.id == e.hdr.Ref.ID }

// newest returns the log with the greatest id, or nil if there is none.
func (s *survey) newest() *entry {
	for _, e := range slices.Backward(s.files) {
		if e.hdr.Kind == segment.Log {
			return e
		}
	}
	return nil
}

// none reports whether the folder holds no segment file at all.
func (s *survey) none() bool {
	return len(s.files)+len(s.bare)+len(s.empty) == 0
}

const lockName = "LOCK"
