package archiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/varve-db/varve/segment"
)

// Backup is the manifest of a backup: a pin on segments that are in the archive
// already. It is tiny, however many they are.
type Backup struct {
	Format   int               `json:"format"`
	ID       uint64            `json:"id"`   // greater than that of every earlier backup of the store
	Time     time.Time         `json:"time"` // when it was made, UTC
	Store    segment.UUID      `json:"store"`
	Tip      segment.Ref       `json:"tip"`       // the newest log
	Seq      uint64            `json:"seq"`       // the last sequence number in it
	LogTime  int64             `json:"log_time"`  // of its last commit, ns since 1970 UTC
	Objects  int64             `json:"objects"`   // puts in the segments, old versions included
	Bytes    int64             `json:"bytes"`     // of the segments
	OwnBytes int64             `json:"own_bytes"` // of those that the backup before did not have
	Digest   Digest            `json:"digest"`    // over the segments' sizes and hashes: see setDigest
	Meta     map[string]string `json:"meta,omitempty"`
	Segments []segment.Run     `json:"segments"` // the whole state: the tip and the live set at its end
	Sum      string            `json:"sum"`      // see manifest
}

func (b *Backup) format() *int { return &b.Format }
func (b *Backup) sum() *string { return &b.Sum }

func (b *Backup) check() error {
	if b.ID == 0 || !setOfRuns(b.Segments).has(b.Tip) {
		return errors.New("a backup without an id or a tip")
	}
	return checkRuns(b.Segments)
}

// Refs returns the segments of the backup in order of Ref.Compare.
func (b *Backup) Refs() []segment.Ref {
	return slices.SortedFunc(setOfRuns(b.Segments).refs(), segment.Ref.Compare)
}

// Count returns how many segments the backup has.
func (b *Backup) Count() int { return setOfRuns(b.Segments).len() }

// ErrNoBackup is wrapped by the error for a backup that is not there, as is
// ErrNotExist.
var ErrNoBackup = fmt.Errorf("no such backup: %w", ErrNotExist)

// backupsOf returns the folder of a store's backups.
func backupsOf(store segment.UUID) string { return store.String() + "/backups/" }

// backupName returns the name of a backup's manifest (json), or of the marker that
// it was deleted (gone).
func backupName(store segment.UUID, id uint64, ext string) string {
	return fmt.Sprintf("%s%020d.%s", backupsOf(store), id, ext)
}

// parseBackupName is the inverse of backupName, for the name in the folder.
func parseBackupName(base string) (id uint64, ext string, ok bool) {
	digits, ext, _ := strings.Cut(base, ".")
	id, err := strconv.ParseUint(digits, 10, 64)
	return id, ext, err == nil && len(digits) == 20 && id > 0
}

// backupNames is what the folder of backups holds, by names alone.
type backupNames struct {
	ids      []uint64 // of manifests, in order
	leftover []uint64 // of manifests that were being deleted
	highest  uint64   // of all ids ever given
}

func (a *Archive) backupNames(ctx context.Context, store segment.UUID) (*backupNames, error) {
	names, err := a.names(ctx, backupsOf(store))
	if err != nil {
		return nil, err
	}
	n := &backupNames{}
	gone := map[uint64]bool{}
	for _, name := range names {
		id, ext, ok := parseBackupName(name[len(backupsOf(store)):])
		switch {
		case ok && ext == "gone":
			gone[id] = true
		case ok && ext == "json":
			n.ids = append(n.ids, id)
		default:
			return nil, &UnreadableError{a.at(name), errors.New("not a name of varve's in the folder of backups")}
		}
		n.highest = max(n.highest, id)
	}
	n.ids = slices.DeleteFunc(n.ids, func(id uint64) bool {
		if gone[id] {
			n.leftover = append(n.leftover, id)
		}
		return gone[id]
	})
	return n, nil
}

// manifestParallel is how many manifests are read at a time.
const manifestParallel = 32

// Backups reads the manifests of all backups of a store, in order of id. The error
// names those that cannot be read, each by an *UnreadableError; the others are
// returned with it.
func (a *Archive) Backups(ctx context.Context, store segment.UUID) ([]*Backup, error) {
	names, err := a.backupNames(ctx, store)
	if err != nil {
		return nil, err
	}
	return a.readBackups(ctx, store, names.ids)
}

// readBackups reads manifests, as Backups does.
func (a *Archive) readBackups(ctx context.Context, store segment.UUID, ids []uint64) ([]*Backup, error) {
	all := make([]*Backup, len(ids))
	unreadable := make([]error, len(ids))
	err := fanOut(ctx, manifestParallel, len(ids), func(ctx context.Context, i int) error {
		b, err := a.readBackup(ctx, store, ids[i])
		switch _, bad := errors.AsType[*UnreadableError](err); {
		case bad:
			unreadable[i] = err
		case errors.Is(err, ErrNotExist): // deleted meanwhile
		case err != nil:
			return err
		default:
			all[i] = b
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(b *Backup) bool { return b == nil }), errors.Join(unreadable...)
}

func (a *Archive) readBackup(ctx context.Context, store segment.UUID, id uint64) (*Backup, error) {
	name := backupName(store, id, "json")
	b := &Backup{}
	if err := a.readManifest(ctx, name, b); err != nil {
		return nil, err
	}
	if b.ID != id || b.Store != store {
		return nil, &UnreadableError{a.at(name), errors.New("it is about something else than its name says")}
	}
	return b, nil
}

// Backup reads the manifest of a backup; with id 0, of the newest. The error wraps
// ErrNoBackup, or is an *UnreadableError, or the target's.
func (a *Archive) Backup(ctx context.Context, store segment.UUID, id uint64) (*Backup, error) {
	names, err := a.backupNames(ctx, store)
	if err != nil {
		return nil, err
	}
	n := len(names.ids)
	if id == 0 && n > 0 {
		id = names.ids[n-1]
	}
	if slices.Contains(names.ids, id) {
		return a.readBackup(ctx, store, id)
	}
	have := "there is none"
	if n > 0 {
		have = fmt.Sprintf("there are %d, from %d to %d: varve backup list", n, names.ids[0], names.ids[n-1])
	}
	if id == 0 {
		return nil, fmt.Errorf("%s: store %v: %w", a.target.URL(), store, ErrNoBackup)
	}
	return nil, fmt.Errorf("%s: store %v: backup %d: %w; %s", a.target.URL(), store, id, ErrNoBackup, have)
}

// DeleteBackup takes a backup away. Its segments stay until prune finds that
// nothing else needs them. Its id is not used again. A manifest that cannot be
// read is not deleted.
func (a *Archive) DeleteBackup(ctx context.Context, store segment.UUID, id uint64) error {
	b, err := a.Backup(ctx, store, id)
	if err != nil {
		return err
	}
	return a.deleteBackup(ctx, b.Store, b.ID)
}

// deleteBackup writes the marker first: with it the backup is deleted, and whoever
// comes by finishes the work.
func (a *Archive) deleteBackup(ctx context.Context, store segment.UUID, id uint64) error {
	err := a.inReserve(ctx, func() error {
		return a.putMarker(ctx, backupName(store, id, "gone"), &Marker{Why: "backup deleted"})
	})
	if err != nil {
		return err
	}
	return a.target.Delete(ctx, backupName(store, id, "json"))
}
