package archiver

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/varve-db/varve/segment"
)

// Source finds the segments in a store's folder, which it only reads. It works
// beside a writer. Its methods may be called from several goroutines.
type Source struct {
	fsys fs.FS

	mu      sync.Mutex
	known   map[string]Sealed    // by name, so that a file is opened once
	peeks   int                  // files opened since known was last noted; see seen.go
	running map[string]*unsealed // logs that are not sealed, by name: see Unsealed
}

// NewSource returns the source of the store in the folder that fsys is.
func NewSource(fsys fs.FS) *Source {
	return &Source{fsys: fsys, known: map[string]Sealed{}, running: map[string]*unsealed{}}
}

// Sealed is a sealed segment file, by the first bytes of its header, which
// nobody has checked yet.
type Sealed struct {
	Name     string // in the folder
	Size     int64
	Modified time.Time
	Store    segment.UUID
	Ref      segment.Ref
	Kind     segment.Kind
	FirstSeq uint64
	inode    uint64

	// Err is why the file cannot be told to be a segment; of the other fields,
	// only the first three are set then. It is a *segment.CorruptError, wraps
	// segment.ErrVersion, or is an error of reading.
	Err error
}

// same reports whether it is still the file that it was.
func (s *Sealed) same(size int64, modified time.Time) bool {
	return s.Size == size && s.Modified.Equal(modified)
}

// named is 1 for a file that has its segment's name, which goes before others.
func (s *Sealed) named() int {
	if s.Name == s.Ref.ID.String()+".seg" {
		return 1
	}
	return 0
}

// Listing is what Segments found.
type Listing struct {
	Store    segment.UUID // zero: there is no segment
	Segments []Sealed     // the store's, in order of Ref.Compare
	Damaged  []Sealed     // that cannot be told to be segments: see Sealed.Err
	Ignored  []string     // names of sealed segments of another store, and of second files of one segment

	state uint64 // a digest of the names and sizes of all segment files
}

// Segments lists the sealed segments. A file is opened once, and again when it has
// changed. The store is the one that most headers name. The error is that of
// listing the folder.
func (s *Source) Segments() (*Listing, error) {
	entries, err := fs.ReadDir(s.fsys, ".")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]Sealed{}
	state := fnv.New64a()
	for _, d := range entries {
		sealed := isSegmentName(d, ".seg")
		if !sealed && !isSegmentName(d, ".open") {
			continue
		}
		info, err := d.Info()
		if err != nil {
			continue // removed meanwhile
		}
		fmt.Fprintln(state, d.Name(), info.Size())
		if !sealed {
			continue
		}
		old, ok := s.known[d.Name()]
		if !ok || !old.isSame(info) || old.Err != nil {
			s.peeks++
			old = s.peek(d.Name(), info)
		}
		if !errors.Is(old.Err, fs.ErrNotExist) {
			found[d.Name()] = old
		}
	}
	s.known = found
	l := list(found)
	l.state = state.Sum64()
	return l, nil
}

// isSegmentName reports whether d is a file named as a segment is: 20 digits and
// the extension.
func isSegmentName(d fs.DirEntry, ext string) bool {
	base, ok := strings.CutSuffix(d.Name(), ext)
	_, err := strconv.ParseUint(base, 10, 64)
	return ok && len(base) == 20 && err == nil && d.Type().IsRegular()
}

func (s *Source) peek(name string, info fs.FileInfo) Sealed {
	g := Sealed{Name: name, Size: info.Size(), Modified: info.ModTime(), inode: inode(info)}
	h, err := s.header(name)
	if err != nil {
		g.Err = inFile(name, err)
		return g
	}
	g.Store, g.Ref, g.Kind, g.FirstSeq = h.UUID, h.Ref, h.Kind, h.FirstSeq
	return g
}

// header reads the first bytes of a file.
func (s *Source) header(name string) (*segment.Head, error) {
	f, err := s.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, segment.PeekSize)
	n, err := io.ReadFull(f, b)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	h, err := segment.Peek(b[:n])
	if errors.Is(err, segment.ErrVersion) { // or damage: only the whole header tells
		return wholeHeader(f)
	}
	return h, err
}

func wholeHeader(f fs.File) (*segment.Head, error) {
	src, size, err := readerAt(f)
	if err != nil {
		return nil, err
	}
	r, err := segment.NewReader(src, size)
	if err != nil {
		return nil, err
	}
	return &r.Header.Head, nil
}

// list sorts the files by what they are.
func list(found map[string]Sealed) *Listing {
	l := &Listing{Store: owner(found)}
	for name, g := range found {
		switch {
		case g.Err != nil:
			l.Damaged = append(l.Damaged, g)
		case g.Store != l.Store:
			l.Ignored = append(l.Ignored, name)
		default:
			l.Segments = append(l.Segments, g)
		}
	}
	slices.SortFunc(l.Damaged, func(a, b Sealed) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(l.Segments, func(a, b Sealed) int {
		if c := a.Ref.Compare(b.Ref); c != 0 {
			return c
		}
		if a.named() != b.named() {
			return cmp.Compare(b.named(), a.named())
		}
		return cmp.Compare(a.Name, b.Name)
	})
	l.Segments = slices.CompactFunc(l.Segments, func(later, kept Sealed) bool {
		if later.Ref == kept.Ref {
			l.Ignored = append(l.Ignored, later.Name)
		}
		return later.Ref == kept.Ref
	})
	slices.Sort(l.Ignored)
	return l
}

// owner is the store that most files name; of several, the least, so that the
// answer does not change from one listing to the next.
func owner(found map[string]Sealed) (best segment.UUID) {
	count := map[segment.UUID]int{}
	for _, g := range found {
		if g.Err == nil {
			count[g.Store]++
		}
	}
	for u, n := range count {
		if most := count[best]; n > most || n == most && u.String() < best.String() {
			best = u
		}
	}
	return best
}

// inFile gives an error about a file's bytes the file's name.
func inFile(name string, err error) error {
	if c, ok := errors.AsType[*segment.CorruptError](err); ok {
		if c.File == "" {
			c.File = name
		}
		return err
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}
