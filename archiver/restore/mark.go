package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
)

// A folder in which a restore builds a store holds integrity.RestoringName before it holds
// anything that was fetched, and until all is in place. So no new store is begun among the
// temporary files of a killed restore.

// mark makes the file that says that a restore is at work.
func (r *restorer) mark() (err error) {
	f, err := r.fsys.Create(integrity.RestoringName)
	if errors.Is(err, fs.ErrExist) {
		return r.fsys.SyncDir(".") // the name: its maker may have been killed before this sync
	}
	if err != nil {
		return noRoom(err)
	}
	text := fmt.Sprintf("A restore of the store %v began here at %s, and has not finished as long as this file is here.\nRestore again into this folder, or remove it.\n",
		r.plan.Store, time.Now().UTC().Format(time.RFC3339))
	_, err = f.WriteAt([]byte(text), 0) // for people only: a power cut may lose it
	if err = noRoom(errors.Join(err, f.Close())); err != nil {
		return err
	}
	return r.fsys.SyncDir(".") // the name, before that of anything that is fetched
}

// unmark removes what mark made, when all is in place.
func (r *restorer) unmark() error {
	if err := vfs.IgnoreAbsent(r.fsys.Remove(integrity.RestoringName)); err != nil {
		return err
	}
	return r.fsys.SyncDir(".") // that it is gone, before the restore is said to be done
}

// lacks reports whether a name is free.
func (r *restorer) lacks(name string) (bool, error) {
	_, err := r.fsys.Stat(name)
	return errors.Is(err, fs.ErrNotExist), vfs.IgnoreAbsent(err)
}

// withdraw removes what a build that failed has made, unless there is something in the folder
// that the next attempt can use. A lock file that was there before stays: it may hold a witness.
// A power cut may bring the names back, which does no harm.
func (r *restorer) withdraw(newLock bool) error {
	d, err := lookAt(r.fsys, r.plan.Store)
	if err != nil || len(d.Own)+len(d.Alien)+len(d.headless())+len(d.tmps) > 0 {
		return err
	}
	err = vfs.IgnoreAbsent(r.fsys.Remove(integrity.RestoringName))
	if newLock {
		err = errors.Join(err, vfs.IgnoreAbsent(r.fsys.Remove(lockName)))
	}
	return err
}

// removeEmpty removes a folder if nothing is in it.
func removeEmpty(above vfs.FS, name string) error {
	list, err := above.ReadDir(name)
	if err != nil || len(list) > 0 {
		return vfs.IgnoreAbsent(err)
	}
	return vfs.IgnoreAbsent(above.Remove(name))
}
