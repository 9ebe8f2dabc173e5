package integrity

import (
	"io/fs"
	"strings"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Names in a store's folder that are not segments.
const (
	QuarantineName = "quarantine" // what repair replaced
	ReceiptsName   = "receipts"   // the archiver's
	ScrubLogName   = "scrub.json" // when which segment was verified
)

// List sorts the names in the folder. It reads no file, so the Inventory has only what names
// say.
func List(fsys vfs.FS) (*Inventory, error) {
	s := &Inventory{FS: fsys}
	names, err := fsys.ReadDir(".")
	if err != nil {
		return nil, vfs.TooManyFiles(err)
	}
	for _, d := range names {
		s.name(d)
	}
	return s, nil
}

// name notes what the name of a file says.
func (s *Inventory) name(d fs.DirEntry) {
	name := d.Name()
	id, ext, numbered := segment.ParseFileName(name)
	numbered = numbered && d.Type().IsRegular()
	_, sealed, isSegment := segment.SegmentFile(d)
	switch {
	case isSegment:
		s.found = append(s.found, &Entry{Name: name, ID: id, Sealed: sealed, d: d})
		s.MaxID = max(s.MaxID, id)
	case numbered && ext == segment.TempExt:
		s.Tmps = append(s.Tmps, name)
		s.MaxID = max(s.MaxID, id) // its header may come up again in a freed block
	case numbered && strings.HasSuffix(name, ".torn"):
		s.Traces = true
		s.Torn = append(s.Torn, name)
	case name == QuarantineName, name == ReceiptsName, name == ScrubLogName:
		s.Traces = true
	case name == RestoringName:
		s.Restoring = true
	case name == ScrubLogName+".tmp":
	case name == segment.LockName, vfs.OfVolume(d):
	default:
		s.Others = append(s.Others, name)
	}
}
