package integrity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Entry is one segment file as it was found. Files go by their headers, not by
// their names; a name matters only where there is no header.
type Entry struct {
	Name   string
	ID     segment.ID // by the name
	Sealed bool       // by the name
	Size   int64
	Mode   fs.FileMode
	Err    error // why there is no header that is sound

	// Header is nil where none is sound. The sets of a log's header are not kept: those
	// of all logs of a store would take more than all else. Who needs one reads it again.
	Header     *segment.Head
	HeaderSize int64

	bare *segment.Header // of which Header is a part, without sets; nil: Header stands by itself
}

// reader returns a Reader of the entry's file, which has all of the header but its sets.
func (e *Entry) reader(src io.ReaderAt) *segment.Reader {
	h := e.bare
	if h == nil || &h.Head != e.Header {
		h = &segment.Header{Head: *e.Header}
	}
	return segment.ReaderOf(h, e.HeaderSize, src, e.Size)
}

// whole reads the header of an entry again, with its sets, from the entry's file.
func (e *Entry) whole(src io.ReaderAt) (*segment.Header, error) {
	r, err := segment.NewReader(src, e.Size)
	if err != nil {
		return nil, err
	}
	if r.Header.Head != *e.Header {
		return nil, fmt.Errorf("the header is that of %v; it was that of %v a moment ago", r.Header.Ref, e.Header.Ref)
	}
	return r.Header, nil
}

// Survey is what a store's folder holds.
type Survey struct {
	FS     vfs.FS
	UUID   segment.UUID
	Files  []*Entry               // with a sound header of this store, in order of Ref.Compare
	ByRef  map[segment.Ref]*Entry // the same
	Bare   []*Entry               // without a sound header, but not empty
	Empty  []*Entry               // logs not begun
	Dups   [][2]*Entry            // a sealed segment and the log it was made from
	Tmps   []string               // unfinished files
	Torn   []string               // what recovery cut off and kept
	Others []string               // what is not ours
	MaxID  segment.ID             // greatest id in any name or header
	Spoor  bool                   // there are traces of a store without segments

	// Restoring reports that RestoringName is there.
	Restoring bool

	// Witness is what the last close left in the lock file, or nil; BadWitness says why
	// what stands there is none. Without one there is less proof, and nothing else.
	Witness    *segment.Witness
	BadWitness error

	// Problems is what LookOn went on past. Entries that have an Err and are in no
	// list above are files that could not be read, or not judged.
	Problems []error
	Unjudged []*Entry

	alien    []*Entry // logs of another store, by their headers; in Others, too
	tolerate bool
}

// LockName is the name of the file whose lock the writer holds.
const LockName = "LOCK"

// Names in a store's folder that are not segments.
const (
	QuarantineName = "quarantine" // what repair replaced
	ReceiptsName   = "receipts"   // the archiver's
	MemoryName     = "scrub.json" // when which segment was verified
)

var (
	// ErrNotStore is wrapped by the error for a folder that holds something
	// else than a store.
	ErrNotStore = errors.New("not a varve store")

	// ErrMissing is wrapped by the error where segments of the store are not
	// there; the message names them.
	ErrMissing = errors.New("segments are missing")
)

// Look lists the folder and reads every header. The error is one of reading, of
// a newer version, or of segments that contradict each other.
func Look(fsys vfs.FS) (*Survey, error) { return look(fsys, false) }

// LookOn is Look, and goes on past what can be gone past: see Survey.Problems.
// The error is that of listing the folder.
func LookOn(fsys vfs.FS) (*Survey, error) { return look(fsys, true) }

func look(fsys vfs.FS, tolerate bool) (*Survey, error) {
	w, bad, unread := readWitness(fsys) // first, so that what is listed is no older
	s, found, err := list(fsys)
	if err != nil {
		return nil, err
	}
	s.tolerate = tolerate
	s.Witness, s.BadWitness = w, bad
	if err := s.problem(unread); err != nil {
		return nil, err
	}
	if err := readHeaders(fsys, found); err != nil {
		return nil, err
	}
	judged := found[:0:0]
	for _, e := range found {
		if e.Err == nil || isCorrupt(e.Err) {
			judged = append(judged, e)
			continue
		}
		if err := s.problem(InFile(fsys.Path(e.Name), e.Err)); err != nil {
			return nil, err
		}
		s.Unjudged = append(s.Unjudged, e)
	}
	found = judged
	s.UUID, err = s.owner(found)
	if err := s.problem(err); err != nil {
		return nil, err
	}
	for _, e := range found {
		if err := s.place(e); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(s.Files, func(a, b *Entry) int { return a.Header.Ref.Compare(b.Header.Ref) })
	return s, nil
}

// problem is an error of a survey that must be sound, and a note in one that goes on.
func (s *Survey) problem(err error) error {
	if err == nil || !s.tolerate {
		return err
	}
	s.Problems = append(s.Problems, err)
	return nil
}

// List sorts the names in the folder. It reads no file: of the Survey, only what
// names tell is there, and none reports whether there is any segment file.
func List(fsys vfs.FS) (s *Survey, none bool, err error) {
	s, found, err := list(fsys)
	return s, len(found) == 0, err
}

// list sorts the names in the folder, and returns those of segments.
func list(fsys vfs.FS) (s *Survey, found []*Entry, err error) {
	s = &Survey{FS: fsys, ByRef: map[segment.Ref]*Entry{}}
	names, err := fsys.ReadDir(".")
	if err != nil {
		return nil, nil, vfs.TooManyFiles(err)
	}
	for _, d := range names {
		if e := s.sort(d); e != nil {
			found = append(found, e)
			s.MaxID = max(s.MaxID, e.ID)
		}
	}
	return s, found, nil
}

func isCorrupt(err error) bool {
	_, ok := asCorrupt(err)
	return ok
}

func asCorrupt(err error) (*segment.CorruptError, bool) {
	return errors.AsType[*segment.CorruptError](err)
}

// sort notes what a name says, and returns an entry for a segment file.
func (s *Survey) sort(d fs.DirEntry) *Entry {
	name := d.Name()
	base, ext, _ := strings.Cut(name, ".")
	id, err := strconv.ParseUint(base, 10, 64)
	numbered := err == nil && len(base) == 20 && d.Type().IsRegular()
	switch {
	case numbered && (ext == "seg" || ext == "open"):
		return &Entry{Name: name, ID: segment.ID(id), Sealed: ext == "seg"}
	case numbered && ext == "tmp":
		s.Tmps = append(s.Tmps, name)
		s.MaxID = max(s.MaxID, segment.ID(id)) // its header may come up again in a freed block
	case numbered && strings.HasSuffix(name, ".torn"):
		s.Spoor = true
		s.Torn = append(s.Torn, name)
	case name == QuarantineName, name == ReceiptsName, name == MemoryName:
		s.Spoor = true
	case name == RestoringName:
		s.Restoring = true
	case name == MemoryName+".tmp":
	case name == LockName, vfs.OfVolume(d):
	default:
		s.Others = append(s.Others, name)
	}
	return nil
}

// readHeaders fills in the entries, a few at a time: opening thousands of files
// is mostly waiting. The error is that the process may open no more files, which is nothing
// of the store.
func readHeaders(fsys vfs.FS, found []*Entry) error {
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
	for _, e := range found {
		if vfs.IsTooManyFiles(e.Err) { // the workers had them, perhaps
			e.Err = nil
			e.read(fsys)
		}
		if vfs.IsTooManyFiles(e.Err) {
			return e.Err
		}
	}
	return nil
}

func (e *Entry) read(fsys vfs.FS) {
	f, err := fsys.Open(e.Name)
	if errors.Is(err, fs.ErrNotExist) && e.renamed(fsys) {
		f, err = fsys.Open(e.Name)
	}
	if err != nil {
		e.Err = vfs.TooManyFiles(err)
		return
	}
	defer f.Close()
	if e.Size, e.Err = f.Size(); e.Err != nil || e.Size == 0 {
		return
	}
	r, err := segment.NewReader(f, e.Size)
	if err != nil {
		e.Err = err
		return
	}
	e.bare = &segment.Header{Head: r.Header.Head} // and not its sets
	e.Header, e.HeaderSize = &e.bare.Head, r.HeaderSize
	if info, err := fsys.Stat(e.Name); err == nil {
		e.Mode = info.Mode()
	}
}

// renamed reports whether a log that is gone was sealed since the folder was listed,
// and gives the entry the name and size that the file has now.
func (e *Entry) renamed(fsys vfs.FS) bool {
	if e.Sealed {
		return false
	}
	name := e.ID.String() + ".seg"
	info, err := fsys.Stat(name)
	if err != nil {
		return false
	}
	e.Name, e.Sealed, e.Size = name, true, info.Size()
	return true
}

// NewestLog returns the log with the greatest id, or nil if there is none.
func (s *Survey) NewestLog() *Entry {
	for _, e := range slices.Backward(s.Files) {
		if e.Header.Kind == segment.Log {
			return e
		}
	}
	return nil
}

// None reports whether the folder holds no segment file at all.
func (s *Survey) None() bool {
	return len(s.Files)+len(s.Bare)+len(s.Empty)+len(s.Unjudged) == 0
}

// InFile puts the file's name into the errors that a segment's reader makes.
func InFile(path string, err error) error {
	if err == nil {
		return nil
	}
	if c, ok := asCorrupt(err); ok {
		c.File = path
		return err
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok { // which has it
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
