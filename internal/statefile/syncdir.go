package statefile

import (
	"sync"

	"github.com/varve-db/varve/internal/vfs"
)

// FolderSync syncs folders for many callers at once: who asks while a sync is under
// way waits for the next one, and shares it with all who asked meanwhile. A sync
// counts only for callers that asked before it began.
type FolderSync struct {
	fsys vfs.FS

	one chan struct{} // holds a token while a folder is synced

	mu   sync.Mutex               // guards next
	next map[string]*syncedFolder // by folder: the sync that has not begun
}

// NewFolderSync returns one for the folders of fsys.
func NewFolderSync(fsys vfs.FS) *FolderSync {
	return &FolderSync{fsys: fsys, one: make(chan struct{}, 1), next: map[string]*syncedFolder{}}
}

// syncedFolder is one sync, and what came of it.
type syncedFolder struct {
	done chan struct{}
	err  error // once done is closed
}

// Sync returns when every name made, linked, renamed or removed in a folder before
// the call is durable.
func (s *FolderSync) Sync(dir string) error {
	s.mu.Lock()
	t, others := s.next[dir]
	if !others {
		t = &syncedFolder{done: make(chan struct{})}
		s.next[dir] = t
	}
	s.mu.Unlock()
	if others {
		<-t.done
		return t.err
	}
	s.one <- struct{}{}
	defer func() { <-s.one }()
	s.mu.Lock()
	delete(s.next, dir) // who asks from now on is not served by this one
	s.mu.Unlock()
	t.err = s.fsys.SyncDir(dir)
	close(t.done)
	return t.err
}
