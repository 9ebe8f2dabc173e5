package integrity

import "github.com/varve-db/varve/internal/vfs"

// What stands in a folder is read and changed by few calls, those of an FS. Folder makes one.
// These are the names of their types outside this module.
type (
	FS       = vfs.FS       // a folder
	File     = vfs.File     // an open file
	Lock     = vfs.Lock     // a lock that is held
	Identity = vfs.Identity // what tells a file from a copy of it
	Handles  = vfs.Handles  // many files, of which few are kept open
	Handle   = vfs.Handle   // one of these
)
