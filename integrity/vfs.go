package integrity

import "github.com/varve-db/varve/internal/vfs"

// A store's folder is read and changed by the few calls of an FS. These are the names of its types
// outside this module.
type (
	FS       = vfs.FS       // a folder
	File     = vfs.File     // an open file
	Lock     = vfs.Lock     // a lock that is held
	Identity = vfs.Identity // what tells a file from a copy of it
	Handles  = vfs.Handles  // many files, of which few are kept open
	Handle   = vfs.Handle   // one of these
)

// Folder returns the folder at path, over the operating system.
func Folder(path string) FS { return vfs.Dir(path) }
