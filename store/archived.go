package store

import (
	"fmt"
	"io/fs"
	"path"
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
// folder. It has those that were there when it was listed last.
type archived struct {
	vfs.FS
	at   string            // of the folders of timelines
	real map[string]string // by the name that each segment has here
}

// unarchive returns the folder as a store's. Where it is that of an archive, or of one store in
// an archive, that is all of the store's segments; otherwise it is fsys.
func unarchive(fsys vfs.FS) (vfs.FS, error) {
	names, err := fsys.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var stores []string
	timelines := false
	for _, d := range names {
		switch name := d.Name(); {
		case strings.HasSuffix(name, ".seg") || strings.HasSuffix(name, ".open"):
			return fsys, nil
		case d.IsDir() && archivedStore.MatchString(name):
			stores = append(stores, name)
		case d.IsDir() && archivedTimeline.MatchString(name):
			timelines = true
		}
	}
	switch {
	case timelines:
		return &archived{FS: fsys, at: "."}, nil
	case len(stores) == 0:
		return fsys, nil
	case len(stores) > 1:
		return nil, fmt.Errorf("%s: an archive of several stores: open the folder of one: %s", fsys.Path("."), shortList(stores))
	}
	return &archived{FS: fsys, at: stores[0]}, nil
}

// ReadDir lists the segments of all timelines, under whatever name it is asked.
func (a *archived) ReadDir(string) ([]fs.DirEntry, error) {
	a.real = map[string]string{}
	timelines, err := a.FS.ReadDir(a.at)
	if err != nil {
		return nil, err
	}
	var list []fs.DirEntry
	for _, t := range timelines {
		if !t.IsDir() || !archivedTimeline.MatchString(t.Name()) {
			continue
		}
		folder := path.Join(a.at, t.Name())
		names, err := a.FS.ReadDir(folder)
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
			a.real[name] = path.Join(folder, d.Name())
			list = append(list, renamed{d, name})
		}
	}
	return list, nil
}

// renamed is a file under another name.
type renamed struct {
	fs.DirEntry
	name string
}

func (r renamed) Name() string { return r.name }

func (a *archived) where(name string) string {
	if real := a.real[name]; real != "" {
		return real
	}
	return name
}

// What a Reader calls, on the files where they are.

func (a *archived) Path(name string) string               { return a.FS.Path(a.where(name)) }
func (a *archived) Open(name string) (vfs.File, error)    { return a.FS.Open(a.where(name)) }
func (a *archived) Stat(name string) (fs.FileInfo, error) { return a.FS.Stat(a.where(name)) }
func (a *archived) Locked(string) (bool, error)           { return false, nil }
