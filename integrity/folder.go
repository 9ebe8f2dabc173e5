package integrity

import "github.com/varve-db/varve/internal/vfs"

// Folder returns the store's folder at path, over the operating system, as MakePlan and
// Repair take it. Check and Salvage, which only read, take any fs.FS: os.DirFS(path) will do.
func Folder(path string) vfs.FS { return vfs.Dir(path) }
