package vfs

import (
	"io/fs"
	"slices"
)

// Content returns the entries of a folder that somebody put there. What mkfs
// makes in the root of a volume, lost+found, is left out, so that a new volume
// counts as an empty folder.
func Content(list []fs.DirEntry) []fs.DirEntry {
	return slices.DeleteFunc(slices.Clone(list), OfVolume)
}

// OfVolume reports whether a folder's entry belongs to the volume, and not to
// who uses it: it is the folder lost+found.
func OfVolume(d fs.DirEntry) bool { return d.Name() == "lost+found" && d.IsDir() }
