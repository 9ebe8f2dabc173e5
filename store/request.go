package store

import (
	"errors"
	"io/fs"
	"time"

	"github.com/varve-db/varve/integrity"
)

// SealRequest is the name, in the store's folder, of a file by which another
// process asks the writer to seal the running log, as the archiver does. The
// writer looks for it once a second, seals the log if it holds objects or
// deletions, and removes the file: when it is gone, what had been committed when it
// was made is sealed.
const SealRequest = integrity.ReceiptsName + "/seal-now"

// requestEvery is how often the writer looks for a request. It costs one call
// that looks up a name.
const requestEvery = time.Second

// heed is the goroutine that answers requests to seal.
func (db *DB) heed() {
	defer db.workers.Done()
	tick := time.NewTicker(requestEvery)
	defer tick.Stop()
	for {
		select {
		case <-db.stop:
			return
		case <-tick.C:
		}
		if err := db.answer(); err != nil {
			db.opt.Logger.Warn("cannot seal the log as requested; it will be tried again", "path", db.report.Path, "err", err)
		}
	}
}

// answer does what a request asks for, if there is one.
func (db *DB) answer() error {
	if info, err := db.fs.Stat(SealRequest); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if _, err := db.Seal(); err != nil {
		return err
	}
	err := db.fs.Remove(SealRequest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another process took its request back
	}
	return err
}
