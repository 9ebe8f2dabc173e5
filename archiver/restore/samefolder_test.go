package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/repair"
	"github.com/varve-db/varve/integrity/salvage"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// storeFiles returns the files of a closed store with so many sealed segments.
func storeFiles(t *testing.T, segments int) (segment.UUID, fstest.MapFS) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "s")
	db, err := store.Open(dir, nil)
	testkit.Must(t, err)
	for i := range segments {
		testkit.Must(t, db.Put([]byte{'k', byte(i)}, []byte("value")))
		_, err := db.Seal()
		testkit.Must(t, err)
	}
	id := db.OpenReport().UUID
	testkit.Must(t, db.Close())
	files := fstest.MapFS{}
	list, err := os.ReadDir(dir)
	testkit.Must(t, err)
	for _, d := range list {
		if _, _, ok := segment.SegmentFile(d); ok {
			b, err := os.ReadFile(filepath.Join(dir, d.Name()))
			testkit.Must(t, err)
			files[d.Name()] = &fstest.MapFile{Data: b, Mode: 0o600}
		}
	}
	return id, files
}

// folderView is what one caller makes of a folder.
type folderView struct {
	owner segment.UUID
	files string // the sealed file that stands for each segment
	err   error
}

func viewOf(owner segment.UUID, files map[segment.Ref]string, err error) folderView {
	names := slices.Sorted(maps.Values(files))
	return folderView{owner, strings.Join(names, " "), err}
}

// folderViews asks everybody who looks at a folder what is in it.
func folderViews(t *testing.T, fsys fs.FS) map[string]folderView {
	t.Helper()
	views := map[string]folderView{}
	survey := func(look func(vfs.FS) (*integrity.Inventory, error)) folderView {
		s, err := look(vfs.FromFS(fsys))
		if err != nil {
			return folderView{err: err}
		}
		files := map[segment.Ref]string{}
		for _, e := range s.Files {
			if e.Sealed {
				files[e.Header.Ref] = e.Name
			}
		}
		for _, d := range s.Dups {
			if d[0].Name == d[1].Name {
				t.Errorf("%s is taken for the log that it was made from", d[0].Name)
			}
		}
		return viewOf(s.UUID, files, errors.Join(s.Problems...))
	}
	views["the store"] = survey(integrity.Survey)
	views["check"] = survey(integrity.SurveyTolerant)
	l, err := source.New(fsys).Segments()
	if err == nil {
		files := map[segment.Ref]string{}
		for _, g := range l.Segments {
			files[g.Ref] = g.Name
		}
		for _, g := range l.Damaged {
			err = errors.Join(err, g.Err)
		}
		views["shipping"] = viewOf(l.Store, files, err)
	} else {
		views["shipping"] = folderView{err: err}
	}
	d, err := lookAt(vfs.FromFS(fsys), segment.UUID{})
	if err == nil {
		files := map[segment.Ref]string{}
		for ref, e := range d.seals {
			files[ref] = e.Name
		}
		views["restore"] = viewOf(d.UUID, files, nil)
	} else {
		views["restore"] = folderView{err: err}
	}
	x, err := salvage.Run(t.Context(), fsys, salvage.Options{})
	if err == nil {
		views["salvage"] = folderView{owner: x.UUID}
	} else {
		views["salvage"] = folderView{err: err}
	}
	p, err := repair.MakePlan(t.Context(), vfs.FromFS(fsys), repair.Options{})
	if err == nil {
		views["repair"] = folderView{owner: p.UUID}
	} else {
		views["repair"] = folderView{err: err}
	}
	return views
}

// TestAllAgreeOnWhatAFolderHolds: whose folder it is, and which file stands for each
// segment, is the same for all callers.
func TestAllAgreeOnWhatAFolderHolds(t *testing.T) {
	name := func(id int, ext string) string { return fmt.Sprintf("%020d.%s", id, ext) }
	a, own := storeFiles(t, 3)
	b, other := storeFiles(t, 4)
	damaged := func(err error) bool { return errors.As(err, new(*segment.CorruptError)) }
	for _, c := range []struct {
		what  string
		do    func(m fstest.MapFS)
		owner segment.UUID // zero: nobody's, and all refuse it but the check, which notes it
		files string       // of the store's three; empty: the same
		bad   bool         // what opens the store refuses it for a file; shipping sets that aside
	}{
		{what: "a store", do: func(m fstest.MapFS) {}, owner: a},
		{what: "two stores with as many files", do: func(m fstest.MapFS) {
			for i := range len(m) { // the newest log of each is not sealed
				m[name(20+i, "seg")] = other[name(1+i, "seg")]
			}
		}},
		{what: "two stores with one file each", do: func(m fstest.MapFS) {
			clear(m)
			m[name(1, "seg")], m[name(2, "seg")] = other[name(1, "seg")], own[name(1, "seg")]
		}, owner: b, files: name(1, "seg")},
		{what: "two stores with one file each, and one of them is a log", do: func(m fstest.MapFS) {
			clear(m)
			m[name(1, "seg")], m[name(2, "open")] = own[name(1, "seg")], other[name(2, "seg")]
		}, owner: a, files: name(1, "seg")},
		{what: "fewer files of another store, with lower numbers", do: func(m fstest.MapFS) {
			m[name(0, "seg")] = other[name(1, "seg")]
		}, owner: a},
		{what: "as many sealed files of another store, and a log of this one", do: func(m fstest.MapFS) {
			for i := range 3 {
				m[name(20+i, "seg")] = other[name(1+i, "seg")]
			}
		}, owner: a},
		{what: "a log of another store", do: func(m fstest.MapFS) { m[name(9, "open")] = other[name(4, "seg")] }, owner: a},
		{what: "the first write to the next log is torn", do: func(m fstest.MapFS) {
			m[name(5, "open")] = &fstest.MapFile{Data: []byte("not a header, and longer than nothing")}
		}, owner: a},
		{what: "files that are not finished, and what a recovery kept", do: func(m fstest.MapFS) {
			m[name(9, "tmp")], m["00000000000000000004.1.torn"] = other[name(1, "seg")], other[name(2, "seg")]
		}, owner: a},
		{what: "a second file of a segment", do: func(m fstest.MapFS) { m[name(0, "seg")] = own[name(2, "seg")] }, owner: a},
		{what: "a log beside the segment that was made from it", do: func(m fstest.MapFS) { m[name(2, "open")] = own[name(2, "seg")] }, owner: a},
		{what: "one file under a wrong name", do: func(m fstest.MapFS) {
			m[name(0, "seg")] = m[name(2, "seg")]
			delete(m, name(2, "seg"))
		}, owner: a, files: name(0, "seg") + " " + name(1, "seg") + " " + name(3, "seg")},
		{what: "two files of a segment, both under wrong names", do: func(m fstest.MapFS) {
			m[name(0, "seg")], m[name(9, "seg")] = m[name(2, "seg")], m[name(2, "seg")]
			delete(m, name(2, "seg"))
		}, owner: a, bad: true},
	} {
		m := maps.Clone(own)
		c.do(m)
		if c.files == "" {
			c.files = strings.Join([]string{name(1, "seg"), name(2, "seg"), name(3, "seg")}, " ")
		}
		for who, v := range folderViews(t, m) {
			switch {
			case c.owner == (segment.UUID{}):
				if !errors.Is(v.err, integrity.ErrNotStore) {
					t.Errorf("%s: %s: %v of %v, %v; want %v", c.what, who, v.files, v.owner, v.err, integrity.ErrNotStore)
				}
			case c.bad && (who == "the store" || who == "check" || who == "shipping"):
				if !damaged(v.err) || strings.Contains(v.files, name(0, "seg")) && who == "shipping" {
					t.Errorf("%s: %s: %v of %v, %v; want the file refused", c.what, who, v.files, v.owner, v.err)
				}
			case v.owner != c.owner || v.files != "" && v.files != c.files && !c.bad:
				t.Errorf("%s: %s: %v of %v, %v; want %v of %v", c.what, who, v.files, v.owner, v.err, c.files, c.owner)
			}
		}
	}
}

// sealedMeanwhile is a folder in which a log gets its sealed name between the listing and
// the first open of it, and that lists it under both.
type sealedMeanwhile struct {
	fstest.MapFS
	log, sealed string
}

func (s sealedMeanwhile) Open(name string) (fs.File, error) {
	if name == s.log {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return s.MapFS.Open(name)
}

// TestALogThatIsSealedWhileItIsListedIsOneFile for all who look.
func TestALogThatIsSealedWhileItIsListedIsOneFile(t *testing.T) {
	owner, m := storeFiles(t, 3)
	s := sealedMeanwhile{m, fmt.Sprintf("%020d.open", 2), fmt.Sprintf("%020d.seg", 2)}
	m[s.log] = m[s.sealed]
	for who, v := range folderViews(t, s) {
		if v.owner != owner || v.err != nil || v.files != "" && strings.Count(v.files, ".seg") != 3 {
			t.Errorf("%s: %v of %v, %v", who, v.files, v.owner, v.err)
		}
	}
}

// TestAPlanFromJSONHasNoArchive to be read in.
func TestAPlanFromJSONHasNoArchive(t *testing.T) {
	if _, err := new(history.Plan).FS(t.Context()); err == nil {
		t.Error("a plan without an archive is read")
	}
}
