package source

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Source finds the segments in a store's folder, which it only reads. It works
// beside a writer. Its methods may be called from several goroutines.
type Source struct {
	fsys fs.FS

	mu      sync.Mutex
	known   map[string]Sealed   // by name, so that a file is opened once
	peeks   int                 // files opened since known was last noted; see cache.go
	running map[string]*OpenLog // logs that are not sealed, by name: see Unsealed
}

// New returns the source of the store in the folder fsys.
func New(fsys fs.FS) *Source {
	return &Source{fsys: fsys, known: map[string]Sealed{}, running: map[string]*OpenLog{}}
}

// Sealed is a sealed segment file, as the first bytes of its header say. Their checksum is not
// checked yet.
type Sealed struct {
	Name     string // in the folder
	Size     int64
	Modified time.Time
	Store    segment.UUID
	Ref      segment.Ref
	Kind     segment.Kind
	FirstSeq uint64
	inode    uint64

	// Err is why the file cannot be read as a segment. Then only the first three fields are set.
	// It is a *segment.CorruptError, wraps segment.ErrVersion, or is an error of reading.
	Err error
}

// Same reports whether the file has the same size and time as before.
func (s *Sealed) Same(size int64, modified time.Time) bool {
	return s.Size == size && s.Modified.Equal(modified)
}

// Listing is what Segments found.
type Listing struct {
	Store    segment.UUID // zero: there is no segment
	Segments []Sealed     // the store's, in order of Ref.Compare
	Damaged  []Sealed     // that cannot be told to be segments: see Sealed.Err
	Ignored  []string     // names of sealed segments of another store, and of second files of one segment

	State uint64 // a digest of the names and sizes of all segment files
}

// Segments lists the sealed segments. A file is opened once, and again when it has changed.
// integrity.ReadHeaders decides which store it is, and which file is a segment, as for the store
// itself. The error is that of listing the folder, or wraps integrity.ErrNotStore where two
// stores have as many files.
func (s *Source) Segments() (*Listing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]Sealed{}
	state := fnv.New64a()
	survey, err := integrity.ReadHeaders(vfs.FromFS(s.fsys), integrity.HeaderOptions{Header: func(e *integrity.Entry, d fs.DirEntry) {
		info, err := d.Info()
		if err != nil {
			e.Err = err // removed meanwhile
			return
		}
		fmt.Fprintln(state, d.Name(), info.Size())
		if e.Size = info.Size(); !e.Sealed {
			if e.Size > 0 {
				e.Header, e.Err = s.header(e.Name)
			}
			return
		}
		g, ok := s.known[e.Name]
		if !ok || !g.isSame(info) || g.Err != nil {
			s.peeks++
			g = s.peek(e.Name, info)
		}
		if e.Err = g.Err; errors.Is(e.Err, fs.ErrNotExist) {
			return
		}
		if found[e.Name] = g; e.Err == nil {
			e.Header = &segment.Head{UUID: g.Store, Ref: g.Ref, Kind: g.Kind, FirstSeq: g.FirstSeq}
		}
	}})
	if err != nil {
		return nil, err
	}
	s.known = found
	l := listing(survey, found)
	l.State = state.Sum64()
	return l, nil
}

func (s *Source) peek(name string, info fs.FileInfo) Sealed {
	g := Sealed{Name: name, Size: info.Size(), Modified: info.ModTime(), inode: inode(info)}
	h, err := s.header(name)
	if err != nil {
		g.Err = segment.InFile(name, err)
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
	if errors.Is(err, segment.ErrVersion) { // or damage: only the whole header shows which
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

// listing returns what a survey found, of sealed files.
func listing(s *integrity.Inventory, found map[string]Sealed) *Listing {
	l := &Listing{Store: s.UUID}
	for _, e := range s.Alien {
		if e.Sealed {
			l.Ignored = append(l.Ignored, e.Name)
		}
	}
	for _, e := range slices.Concat(s.Bare, s.Newer, s.Unread) {
		if g, ok := found[e.Name]; ok {
			l.Damaged = append(l.Damaged, g)
		}
	}
	sealed := slices.DeleteFunc(slices.Clone(s.Own), func(e *integrity.Entry) bool { return !e.Sealed })
	for group := range integrity.Groups(sealed) {
		if err := integrity.Twice(group); err != nil { // the store does not open: neither is shipped
			for i, e := range group {
				l.Damaged = append(l.Damaged, Sealed{Name: e.Name, Size: e.Size, Modified: found[e.Name].Modified,
					Err: &segment.CorruptError{File: e.Name, Segment: err.Segment, Reason: "the same segment is in " + group[(i+1)%len(group)].Name, Next: err.Next}})
			}
			continue
		}
		l.Segments = append(l.Segments, found[group[0].Name])
		for _, e := range group[1:] {
			l.Ignored = append(l.Ignored, e.Name)
		}
	}
	slices.SortFunc(l.Damaged, func(a, b Sealed) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(l.Ignored)
	return l
}

// Opened is an open segment file: what is sent comes from the very file that was verified.
type Opened struct {
	io.ReaderAt
	io.Closer
	Size int64
}

// Open opens a segment file.
func (s *Source) Open(name string) (*Opened, error) {
	f, err := s.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	src, size, err := readerAt(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Opened{src, f, size}, nil
}

// Verify opens a sealed segment file of the folder and reads it whole. The error is a
// *segment.CorruptError that names the file, wraps segment.ErrVersion, or is one of reading. sum
// is the SHA-256 of the whole file.
func (s *Source) Verify(ctx context.Context, name string) (size int64, sum [32]byte, err error) {
	f, err := s.Open(name)
	if err != nil {
		return 0, sum, err
	}
	defer f.Close()
	ship, err := sealed.Verify(ctx, f, f.Size)
	if err != nil {
		return 0, sum, segment.InFile(name, err)
	}
	return ship.Size, ship.SHA256, nil
}
