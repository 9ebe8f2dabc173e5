package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/varve-db/varve/internal/vfs"
)

// copyPlace is where a hot copy goes.
type copyPlace struct {
	parent string // the path of the folder that it is made in
	above  vfs.FS // that folder
	name   string // what it is called there
	temp   string // what it is called there until it is whole
	dated  bool   // parent is a folder of copies, with a log
	began  time.Time
}

const (
	copyTime    = "2006-01-02T15-04-05Z" // names sort by time
	copyTemp    = ".tmp-"
	copyLog     = "snapshots.log"
	copyTempAge = 24 * time.Hour // no step of a copy takes so long
)

// findPlace decides where a copy of the store in dir goes, and removes what
// copies left there that were cut off long ago.
func findPlace(dir, dest string, now time.Time) (*copyPlace, error) {
	dest, err := filepath.Abs(dest)
	if err != nil {
		return nil, err
	}
	p := &copyPlace{parent: filepath.Dir(dest), name: filepath.Base(dest), began: now}
	info, err := os.Stat(dest)
	switch {
	case err == nil:
		if !info.IsDir() || !onlyCopies(dest) {
			return nil, &fs.PathError{Op: "snapshot", Path: dest, Err: fmt.Errorf(
				"%w: name one that is absent, an empty folder, or a folder of snapshots", fs.ErrExist)}
		}
		p.parent, p.name, p.dated = dest, now.UTC().Format(copyTime), true
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := outside(dir, p.parent); err != nil {
		return nil, err
	}
	p.above = vfs.Dir(p.parent)
	p.temp = p.tempName()
	return p, p.tidy()
}

// tempName returns a name for the copy until it is whole, which no other has.
func (p *copyPlace) tempName() string { return p.name + copyTemp + rand.Text() }

// onlyCopies reports whether a folder is empty, or holds nothing but copies that
// have names by time, what is left of such, and their log.
func onlyCopies(dir string) bool {
	list, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, d := range vfs.Content(list) {
		name, _, _ := strings.Cut(d.Name(), copyTemp)
		if !isDated(name) && d.Name() != copyLog {
			return false
		}
	}
	return true
}

// isDated reports whether name is one that a copy gets in a folder of copies.
func isDated(name string) bool {
	date, rest, ok := strings.Cut(name, "Z")
	if _, err := time.Parse(copyTime, date+"Z"); !ok || err != nil {
		return false
	}
	n, err := strconv.Atoi(strings.TrimPrefix(rest, "-"))
	return rest == "" || err == nil && n > 1 && rest == fmt.Sprintf("-%d", n)
}

// outside refuses a copy within the store's own folder. It asks for the folder,
// which must be there.
func outside(dir, parent string) error {
	real, err := filepath.EvalSymlinks(parent)
	if err != nil {
		return err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	if rel, err := filepath.Rel(dir, real); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return &fs.PathError{Op: "snapshot", Path: parent, Err: fmt.Errorf("%w: it is in the store's own folder; name one outside", fs.ErrInvalid)}
	}
	return nil
}

// tidy removes the temporary folders of copies that were cut off long ago.
func (p *copyPlace) tidy() error {
	list, err := p.above.ReadDir(".")
	if err != nil {
		return err
	}
	for _, d := range list {
		name, random, ok := strings.Cut(d.Name(), copyTemp)
		ours := name == p.name || p.dated && isDated(name)
		if !ok || !ours || !d.IsDir() || len(random) != len(rand.Text()) {
			continue
		}
		if info, err := d.Info(); err != nil || p.began.Sub(info.ModTime()) < copyTempAge {
			continue // it may be at work
		}
		if err := removeCopy(p.above, d.Name()); err != nil {
			return err
		}
	}
	return nil
}

// removeCopy removes the folder of a copy with all that is in it: files alone.
func removeCopy(above vfs.FS, name string) error {
	list, err := above.ReadDir(name)
	if err != nil {
		return vfs.IgnoreAbsent(err)
	}
	for _, d := range list {
		err = errors.Join(err, vfs.IgnoreAbsent(above.Remove(name+"/"+d.Name())))
	}
	return errors.Join(err, vfs.IgnoreAbsent(above.Remove(name)))
}

// giveName gives the copy its name, durably, and returns its path. In a folder of
// copies the next free name is taken.
func (p *copyPlace) giveName() (string, error) {
	if p.dated { // which somebody else may have made
		if err := p.above.SyncOwnName(); err != nil {
			return "", err
		}
	}
	for n := 1; ; n++ {
		name := p.name
		if n > 1 {
			name += fmt.Sprintf("-%d", n)
		}
		err := p.above.Rename(p.temp, name)
		taken := errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.ENOTDIR)
		if taken && p.dated {
			continue
		}
		if err != nil {
			return "", err
		}
		return p.above.Path(name), p.above.SyncDir(".") // the name, before anybody is told that the copy is there
	}
}

// log adds a line about the run to the log of a folder of copies.
func (p *copyPlace) log(r *HotCopyReport, failed error) error {
	if !p.dated {
		return nil
	}
	line := fmt.Sprintf("begin=%s end=%s result=", stamp(p.began), stamp(p.began.Add(r.Took)))
	if failed != nil {
		line += fmt.Sprintf("failed error=%q", failed)
	} else {
		line += fmt.Sprintf("done name=%s seq=%d segments=%d linked=%d bytes=%d copied=%d",
			filepath.Base(r.Path), r.LastSeq, r.Segments, r.Linked, r.Bytes, r.Copied)
	}
	line += fmt.Sprintf(" took=%s\n", r.Took.Round(time.Millisecond))
	f, err := os.OpenFile(filepath.Join(p.parent, copyLog), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)                                       // one write, so that runs at the same time do not mix
	return errors.Join(err, f.Sync(), f.Close(), p.above.SyncDir(".")) // the line, and the log's name
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
