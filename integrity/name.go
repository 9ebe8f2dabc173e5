package integrity

import (
	"io/fs"
	"strconv"
	"strings"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// LockName is the name of the file whose lock the writer holds.
const LockName = "LOCK"

// Names in a store's folder that are not segments.
const (
	quarantineName = "quarantine" // what repair replaced
	ReceiptsName   = "receipts"   // the archiver's
	MemoryName     = "scrub.json" // when which segment was verified
)

// List sorts the names in the folder. It reads no file: of the Survey, only what
// names tell is there, and none reports whether there is any segment file.
func List(fsys vfs.FS) (s *Survey, none bool, err error) {
	if s, err = list(fsys); err != nil {
		return nil, false, err
	}
	return s, len(s.found) == 0, nil
}

// list sorts the names in the folder.
func list(fsys vfs.FS) (*Survey, error) {
	s := &Survey{FS: fsys, ByRef: map[segment.Ref]*Entry{}}
	names, err := fsys.ReadDir(".")
	if err != nil {
		return nil, vfs.TooManyFiles(err)
	}
	for _, d := range names {
		s.name(d)
	}
	return s, nil
}

// numbered returns the number that the name of a regular file begins with, 20 digits, and
// what follows it, without the dot.
func numbered(d fs.DirEntry) (id segment.ID, ext string, ok bool) {
	base, ext, _ := strings.Cut(d.Name(), ".")
	n, err := strconv.ParseUint(base, 10, 64)
	return segment.ID(n), ext, err == nil && len(base) == 20 && d.Type().IsRegular()
}

// SegmentName reports whether d is a file with the name of a sealed segment or of a log
// that is not sealed, and which.
func SegmentName(d fs.DirEntry) (id segment.ID, sealed, ok bool) {
	id, ext, ok := numbered(d)
	return id, ext == "seg", ok && (ext == "seg" || ext == "open")
}

// name notes what the name of a file says.
func (s *Survey) name(d fs.DirEntry) {
	name := d.Name()
	id, ext, numbered := numbered(d)
	switch {
	case numbered && (ext == "seg" || ext == "open"):
		s.found = append(s.found, &Entry{Name: name, ID: id, Sealed: ext == "seg", d: d})
		s.MaxID = max(s.MaxID, id)
	case numbered && ext == "tmp":
		s.Tmps = append(s.Tmps, name)
		s.MaxID = max(s.MaxID, id) // its header may come up again in a freed block
	case numbered && strings.HasSuffix(name, ".torn"):
		s.Spoor = true
		s.Torn = append(s.Torn, name)
	case name == quarantineName, name == ReceiptsName, name == MemoryName:
		s.Spoor = true
	case name == RestoringName:
		s.Restoring = true
	case name == MemoryName+".tmp":
	case name == LockName, vfs.OfVolume(d):
	default:
		s.Others = append(s.Others, name)
	}
}
