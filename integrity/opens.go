package integrity

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// ErrLostLog is wrapped by the error where the newest log, which the one before it
// names, is not there, or nothing of it though the store was closed with it.
var ErrLostLog = errors.New("the newest log is lost")

// LostError is the error for a newest log that is lost, nil if it is not.
func (st *State) LostError() error {
	if !st.Lost {
		return nil
	}
	return fmt.Errorf("%s: %w: %s; bring it back from a copy, or accept the loss (Options.AcceptLostLog)",
		st.FS.Path("."), ErrLostLog, st.V.Successor)
}

// Opens returns nil if the store would open for writing, and otherwise the error of Survey or
// Resolve, or one that wraps ErrLostLog. It changes nothing, takes no lock, and works beside a
// writer. It reads every header, the end of every segment, and as much of the newest log as a
// writer would. It does not read the tables of segments, so damage there is not found.
func Opens(fsys vfs.FS) error {
	return WhileWritten(fsys, func(live bool) error {
		s, err := Survey(fsys)
		if err != nil {
			return err
		}
		h := vfs.NewHandles(fsys.Open, vfs.KeepFew)
		st, err := s.Resolve(ResolveOptions{Level: Tail, Live: live, Table: noTable, Open: func(e *Entry) (Source, error) { return e.Open(fsys, h) }})
		if err != nil {
			return err
		}
		return errors.Join(st.LostError(), st.Close())
	})
}

// noTable is ResolveOptions.Table for callers that read no table.
func noTable(*Part) (keep bool, err error) { return false, nil }

// WhileWritten calls look, which surveys the store, and tells it whether a process
// has it open for writing. While one does, files change their names, and come
// and go: then the newest state is looked for again.
func WhileWritten(fsys vfs.FS, look func(live bool) error) error {
	const tries = 20
	for i := 0; ; i++ {
		live, err := fsys.Locked(segment.LockName)
		if err != nil {
			return err
		}
		err = look(live)
		now, lockErr := fsys.Locked(segment.LockName)
		if err == nil && lockErr == nil && now == live || i == tries {
			return err
		}
		gone := errors.Is(err, fs.ErrNotExist)
		again := now != live || live && (gone || errors.Is(err, ErrMissing) || segment.IsCorrupt(err)) || gone && i < 3
		if !again {
			return errors.Join(err, lockErr)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
