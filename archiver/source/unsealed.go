package source

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/varve-db/varve/segment"
)

// OpenLog is what a Source remembers of a log from one look to the next.
type OpenLog struct {
	name string
	Ref  segment.Ref
	off  int64  // all before was looked at
	next uint64 // the sequence number that is due there

	First int64     // commit time of the first object; zero: none yet
	seen  time.Time // when it was first seen here; its monotonic part counts
}

// Age is how old the first object is: by the time of its commit, or by how long it has been
// known, whichever is longer, so that a clock that was put back delays nothing.
func (l *OpenLog) Age() time.Duration {
	return max(time.Since(time.Unix(0, l.First)), time.Since(l.seen))
}

// Unsealed returns the newest log that holds objects and is not sealed, and how long the oldest
// of them has been in it: by the time of its commit, or by how long this Source knows of it,
// whichever is longer. ok is false if there is no such log. Marks are not objects.
func (s *Source) Unsealed() (log segment.Ref, age time.Duration, ok bool, err error) {
	l, err := s.unsealed(true)
	if l == nil {
		return log, 0, false, err
	}
	return l.Ref, l.Age(), true, nil
}

// OldestUnsealed returns the oldest log that holds objects and is not sealed, nil for none.
func (s *Source) OldestUnsealed() (*OpenLog, error) { return s.unsealed(false) }

// unsealed returns the newest or the oldest log that holds objects and is not sealed, nil
// for none.
func (s *Source) unsealed(newest bool) (*OpenLog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	logs, err := s.Logs()
	if err != nil {
		return nil, err
	}
	for name := range s.running {
		if !slices.ContainsFunc(logs, func(l unsealedName) bool { return l.Name == name }) {
			delete(s.running, name)
		}
	}
	if !newest {
		slices.Reverse(logs)
	}
	for _, f := range logs {
		l, err := s.look(f.Name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // sealed meanwhile
		}
		if err != nil {
			return nil, segment.InFile(f.Name, err)
		}
		if l != nil && l.First != 0 {
			found := *l
			return &found, nil
		}
	}
	return nil, nil
}

// unsealedName is a log that is not sealed, by its name.
type unsealedName struct {
	Name string
	Id   segment.ID
}

// Logs returns the unsealed logs, the newest first.
func (s *Source) Logs() ([]unsealedName, error) {
	entries, err := fs.ReadDir(s.fsys, ".")
	if err != nil {
		return nil, err
	}
	var logs []unsealedName
	for _, d := range entries {
		if id, sealed, ok := segment.SegmentFile(d); ok && !sealed {
			logs = append(logs, unsealedName{d.Name(), id})
		}
	}
	slices.SortFunc(logs, func(a, b unsealedName) int { return cmp.Compare(b.Id, a.Id) })
	return logs, nil
}

// look reads on in a log until its first object. It ends at bytes that do not check: they are
// being written, or torn. An open of the store judges that. A log that has not begun has no
// header yet: then the result is nil.
func (s *Source) look(name string) (*OpenLog, error) {
	if l := s.running[name]; l != nil && l.First != 0 {
		return l, nil
	}
	f, err := s.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, size, err := readerAt(f)
	if err != nil || size == 0 {
		return nil, err
	}
	r, err := segment.NewReader(src, size)
	if err != nil {
		if _, ok := errors.AsType[*segment.CorruptError](err); ok {
			return nil, nil
		}
		return nil, err
	}
	l := s.running[name]
	if l == nil || l.Ref != r.Header.Ref {
		l = &OpenLog{name: name, Ref: r.Header.Ref}
		s.running[name] = l
	}
	l.walk(r)
	return l, nil
}

// walk goes on to the first object.
func (l *OpenLog) walk(r *segment.Reader) {
	object := false
	for rec, err := range r.Records(segment.Span{From: l.off, Next: l.next}) {
		if err != nil {
			return
		}
		object = object || rec.Kind.Data()
		if object && rec.Commit() {
			l.First, l.seen = rec.Time, time.Now()
			return
		}
		if !object {
			l.off, l.next = rec.Offset+rec.Size, rec.Seq
		}
	}
}

// FirstCommit returns when the oldest object of a sealed log was committed, in nanoseconds;
// zero if that is not known.
func (s *Source) FirstCommit(g *Sealed) int64 {
	if g.Kind != segment.Log {
		return 0
	}
	f, err := s.fsys.Open(g.Name)
	if err != nil {
		return 0
	}
	defer f.Close()
	src, size, err := readerAt(f)
	if err != nil {
		return 0
	}
	r, err := segment.NewReader(src, size)
	if err != nil || r.Header.Ref != g.Ref {
		return 0
	}
	var l OpenLog
	l.walk(r)
	return l.First
}

// readerAt returns a file as an io.ReaderAt, and its length.
func readerAt(f fs.File) (io.ReaderAt, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	src, ok := f.(io.ReaderAt)
	if !ok {
		return nil, 0, &fs.PathError{Op: "read", Path: info.Name(), Err: errors.New("this file system does not read at an offset")}
	}
	return src, info.Size(), nil
}
