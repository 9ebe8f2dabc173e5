package integrity

import (
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// CopyOf says why a log that ends with a close record may be a copy of the file in which that
// record was written. An empty text means that it is that very file. Callers with a State do not
// need it: see State.Why.
func CopyOf(fsys vfs.FS, name string, h *segment.Header, last *segment.Record) (why string, err error) {
	w, _, err := ReadWitness(fsys)
	if err != nil {
		return "", err
	}
	inode, birth := last.Closed()
	return copyOf(fsys, name, &lastClose{h, inode, birth, last.Vouch}, w)
}

// lastClose is what the close record of a log says.
type lastClose struct {
	log     *segment.Header
	inode   uint64
	birth   int64
	durable int64 // what it vouches for
}

// copyOf is CopyOf with the witness of the store's last close, or nil.
//
// A freed inode number is soon given to another file, so it alone proves nothing. Where the file
// system has no birth times, the time of the last change is compared instead: no copy has the
// same. The witness holds it, as it was after the close.
func copyOf(fsys vfs.FS, name string, c *lastClose, w *segment.Witness) (why string, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close() // read-only: nothing can be lost
	id, err := f.Identity()
	if err != nil {
		return "", err
	}
	switch {
	case id.Inode != c.inode, id.Birth != c.birth:
		return "the newest log is a copy of the one that was closed", nil
	case id.Birth != 0:
		return "", nil
	case w.Vouched(&c.log.Head) != c.durable || w.Changed == 0:
		return "the file system does not tell when a file was made, and " + segment.LockName +
			" does not tell of this close, so the newest log may be a copy of the one that was closed", nil
	case w.Changed != id.Changed:
		return "the newest log was copied or changed since it was closed", nil
	}
	return "", nil
}
