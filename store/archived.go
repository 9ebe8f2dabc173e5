package store

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/varve-db/varve/internal/vfs"
)

// An archive that is a folder can be opened where it is. Its segments lie in folders
// for each store and timeline, and the same id may be there once on each timeline;
// segments go by their headers, so it does not matter under which name one is read.

var (
	archivedStore    = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	archivedTimeline = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

// archived is the folder of an archive as if the segments of its store lay in one
// folder.
type archived struct {
	vfs.FS
	real map[string]string // by the name that each segment has here
	list []fs.DirEntry
}

// unarchive returns the folder as a store's. Where it is that of an archive, or of one store in
// an archive, that is all of the store's segments; otherwise it is fsys.
func unarchive(fsys vfs.FS) (vfs.FS, error) {
	names, err := fsys.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var stores, timelines []string
	for _, d := range names {
		switch name := d.Name(); {
		case strings.HasSuffix(name, ".seg") || strings.HasSuffix(name, ".open"):
			return fsys, nil
		case d.IsDir() && archivedStore.MatchString(name):
			stores = append(stores, name)
		case d.IsDir() && archivedTimeline.MatchString(name):
			timelines = append(timelines, name)
		}
	}
	if len(timelines) > 0 {
		return flat(fsys, timelines)
	}
	switch len(stores) {
	case 0:
		return fsys, nil
	case 1:
	default:
		return nil, fmt.Errorf("%s: an archive of several stores: open the folder of one: %s", fsys.Path("."), shortList(stores))
	}
	names, err = fsys.ReadDir(stores[0])
	if err != nil {
		return nil, err
	}
	for _, d := range names {
		if d.IsDir() && archivedTimeline.MatchString(d.Name()) {
			timelines = append(timelines, stores[0]+"/"+d.Name())
		}
	}
	return flat(fsys, timelines)
}

// flat lists the segments in some folders as if they lay in one.
func flat(fsys vfs.FS, folders []string) (vfs.FS, error) {
	a := &archived{FS: fsys, real: map[string]string{}}
	for _, folder := range folders {
		names, err := fsys.ReadDir(folder)
		if err != nil {
			return nil, err
		}
		for _, d := range names {
			name := d.Name()
			if !strings.HasSuffix(name, ".seg") {
				continue
			}
			if a.real[name] != "" { // on another timeline
				name = fmt.Sprintf("1%019d.seg", len(a.real)) // the name of an id that no store comes to
			}
			a.real[name] = folder + "/" + d.Name()
			a.list = append(a.list, renamed{d, name})
		}
	}
	return a, nil
}

// renamed is a file under another name.
type renamed struct {
	fs.DirEntry
	name string
}

func (r renamed) Name() string { return r.name }

func (a *archived) at(name string) string {
	if real := a.real[name]; real != "" {
		return real
	}
	return name
}

// What a Reader calls, on the files where they are.

func (a *archived) Path(name string) string               { return a.FS.Path(a.at(name)) }
func (a *archived) Open(name string) (vfs.File, error)    { return a.FS.Open(a.at(name)) }
func (a *archived) Stat(name string) (fs.FileInfo, error) { return a.FS.Stat(a.at(name)) }
func (a *archived) ReadDir(string) ([]fs.DirEntry, error) { return a.list, nil }
func (a *archived) Locked(string) (bool, error)           { return false, nil }
