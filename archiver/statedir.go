package archiver

import (
	"path/filepath"

	"github.com/varve-db/varve/internal/vfs"
)

// StateDir returns the folder at path, where receipts and status are kept, as
// Options.Receipts and receipt.Open take it. It is made when it is first written
// to; the folder above it must be there. Beside the store, it is ReceiptsDir.
func StateDir(path string) vfs.FS { return vfs.Dir(path) }

// ReceiptsDir is the StateDir of the store in the folder dir: its own folder for the
// archiver.
func ReceiptsDir(dir string) vfs.FS { return vfs.Dir(filepath.Join(dir, "receipts")) }
