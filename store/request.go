package store

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
)

// SealRequest is the name, in the store's folder, of a file by which another
// process asks the writer to seal the running log, as package store/sealer does. The
// writer looks for it once a second, seals the log if it holds objects or
// deletions, and removes the file: when it is gone, what had been committed when it
// was made is sealed.
//
// One request may take the place of another, by rename or by writing to it again. It should
// hold a few bytes that no other does, by which the writer tells whether it is still the
// one that it answered.
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

// answer does what a request asks for, if there is one. One that was made
// meanwhile, perhaps of objects that are not sealed, is left for the next time.
func (db *DB) answer() error {
	asked, err := db.requested()
	if err != nil || asked == "" {
		return err
	}
	if _, err := db.Seal(); err != nil {
		return err
	}
	if now, err := db.requested(); err != nil || now != asked {
		return err
	}
	return vfs.IgnoreAbsent(db.fs.Remove(SealRequest)) // another process may have taken its request back
}

// requested tells one request from another; empty: there is none.
func (db *DB) requested() (string, error) {
	info, err := db.fs.Stat(SealRequest)
	if err != nil {
		return "", vfs.IgnoreAbsent(err)
	}
	if !info.Mode().IsRegular() {
		return "", nil
	}
	f, err := db.fs.Open(SealRequest)
	if err != nil {
		return "", vfs.IgnoreAbsent(err)
	}
	var b [64]byte
	n, err := f.ReadAt(b[:], 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %d %q", info.ModTime().UnixNano(), info.Size(), b[:n]), nil
}
