package archiver

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/vfs"
)

// Worker is an archiver that is at work on a target, or was.
type Worker struct {
	Service bool      `json:"service"` // it runs until it is told to end
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended,omitzero"` // in order; zero: it has not, as far as it could say

	// Unlocked says that the state folder is on a file system without locks. Then only what the
	// archiver wrote there shows that it runs.
	Unlocked bool `json:"unlocked,omitempty"`
}

// String says which process it is, and since when.
func (w *Worker) String() string {
	return fmt.Sprintf("pid %d on %s, since %s", w.PID, w.Host, w.Began.Format(time.RFC3339))
}

// AtWorkError is the error where another archiver of the same store, with the same state
// folder, is at work on a target. It wraps vfs.ErrLocked.
type AtWorkError struct {
	URL    string
	Holder string // what it wrote about itself; empty: nothing yet
}

// Error names the target and who is at work on it.
func (e *AtWorkError) Error() string {
	who := e.Holder
	if who == "" {
		who = "it does not say who it is"
	}
	return fmt.Sprintf("%s: an archiver of this store is at work on it (%s); it ships all that is sealed, and a second one has nothing to do", e.URL, who)
}

// Unwrap returns vfs.ErrLocked.
func (e *AtWorkError) Unwrap() error { return vfs.ErrLocked }

// workerLock is the file in the state folder whose lock an archiver holds that is at work on
// a target.
func workerLock(url string) string {
	sum := sha256.Sum256([]byte(url))
	return "archiver-" + hex.EncodeToString(sum[:8]) + ".lock"
}

// begins makes this archiver the one at work on its targets. end lets others work, and
// says that it ended in order.
func (a *Archiver) begins(service bool) (end func() error, err error) {
	host, _ := os.Hostname() // for people only
	w := Worker{Service: service, PID: os.Getpid(), Host: host, Began: time.Now().UTC().Truncate(time.Second)}
	var locks []io.Closer
	unlock := func() (err error) {
		for _, l := range locks {
			err = errors.Join(err, l.Close())
		}
		return err
	}
	for _, l := range a.shippers {
		lock, holder, err := a.opt.receipts.Lock(workerLock(l.url), w.String())
		switch {
		case errors.Is(err, vfs.ErrLocked):
			return nil, errors.Join(&AtWorkError{l.url, holder}, unlock())
		case errors.Is(err, vfs.ErrUnsupported):
			w.Unlocked = true
			a.opt.Logger.Warn("the state folder has no locks, so a second archiver is not kept out", "err", err)
		case err != nil:
			return nil, errors.Join(receipt.Unwritten(a.opt.receipts.Path(workerLock(l.url)), err), unlock())
		default:
			locks = append(locks, lock)
		}
	}
	a.mu.Lock()
	a.worker, a.working = &w, true
	a.mu.Unlock()
	return func() error {
		a.mu.Lock()
		ended := w
		ended.Ended = time.Now().UTC().Truncate(time.Second)
		a.worker, a.working = &ended, false
		a.mu.Unlock()
		return errors.Join(a.save(), unlock())
	}, nil
}

// silentWorker is how long an archiver that runs may write nothing to its state. It writes once
// each heartbeat.
const (
	heartbeat    = time.Minute
	silentWorker = 5 * heartbeat
)

// ask finds out whether the target's archiver is running.
func (t *TargetStatus) ask(state vfs.FS) error {
	held, err := state.Locked(workerLock(t.URL))
	if err != nil && !errors.Is(err, vfs.ErrUnsupported) {
		return err
	}
	w := t.Worker
	t.Running = held || w != nil && w.Unlocked && w.Ended.IsZero() && time.Since(t.Looked) < silentWorker
	return nil
}

// Silent says what is wrong with the target's archiver: that it died, or hangs. It is empty if
// nothing is.
func (t *TargetStatus) Silent() string {
	w := t.Worker
	silent := time.Since(t.Looked).Round(time.Second)
	switch {
	case t.Running && silent > silentWorker:
		return fmt.Sprintf("the archiver has written no status for %v: it hangs, or cannot write to its state folder", silent)
	case !t.Running && w != nil && w.Service && w.Ended.IsZero():
		return fmt.Sprintf("the archiver (%v) is not running, and did not end in order: it was killed, or its machine was; start it again", w)
	}
	return ""
}
