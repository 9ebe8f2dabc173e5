package segment

import (
	"io/fs"
	"strconv"
	"strings"
)

// The extensions of the files of a store's folder that are named by an id.
const (
	SealedExt = ".seg"  // a sealed segment
	OpenExt   = ".open" // a log that is not sealed
	TempExt   = ".tmp"  // what is being written
)

// idDigits is how many decimal digits an id has in a name.
const idDigits = 20

// FileName returns the name of a file: the id, and an extension that begins with a dot.
func FileName(id ID, ext string) string { return id.String() + ext }

// ParseFileName is the inverse of FileName. The extension is all from the first dot on, and may
// be one that is not a segment's.
func ParseFileName(name string) (id ID, ext string, ok bool) {
	dot := strings.IndexByte(name, '.')
	if dot != idDigits {
		return 0, "", false
	}
	n, err := strconv.ParseUint(name[:dot], 10, 64)
	return ID(n), name[dot:], err == nil
}

// SegmentFile reports whether a file has the name of a sealed segment or of a log that is not
// sealed, and which. What is no regular file has none.
func SegmentFile(d fs.DirEntry) (id ID, sealed, ok bool) {
	id, ext, ok := ParseFileName(d.Name())
	return id, ext == SealedExt, ok && (ext == SealedExt || ext == OpenExt) && d.Type().IsRegular()
}

// LockName is the name of the file whose lock the writer holds.
const LockName = "LOCK"
