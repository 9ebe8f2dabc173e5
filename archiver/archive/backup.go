package archive

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/archiver/target"
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
	Digest   segment.Digest    `json:"digest"`    // over the segments' sizes and hashes: see package backup
	Meta     map[string]string `json:"meta,omitempty"`
	Segments []segment.Run     `json:"segments"` // the whole state: the tip and the live set at its end
	Sum      string            `json:"sum"`      // the checksum of all before it
}

func (b *Backup) format() *int { return &b.Format }
func (b *Backup) sum() *string { return &b.Sum }

func (b *Backup) check() error {
	if b.ID == 0 || !segment.SetOfRuns(b.Segments...).Has(b.Tip) {
		return errors.New("a backup without an id or a tip")
	}
	return checkRuns(b.Segments)
}

// Refs returns the segments of the backup in order of Ref.Compare.
func (b *Backup) Refs() []segment.Ref {
	return slices.Collect(segment.SetOfRuns(b.Segments...).All())
}

// Count returns how many segments the backup has.
func (b *Backup) Count() int { return segment.SetOfRuns(b.Segments...).Len() }

// ErrNoBackup is wrapped by the error for a backup that is not there, as is
// target.ErrNotExist.
var ErrNoBackup = fmt.Errorf("no such backup: %w", target.ErrNotExist)

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

// BackupNames is what the folder of backups holds, by names alone.
type BackupNames struct {
	Ids      []uint64 // of manifests, in order
	Leftover []uint64 // of manifests that were being deleted
	highest  uint64   // of all ids ever given
}

// BackupNames lists the folder of a store's backups, by names alone. The error is the target's,
// or an *UnreadableError for a name that varve does not write.
func (a *Archive) BackupNames(ctx context.Context, store segment.UUID) (*BackupNames, error) {
	names, err := a.names(ctx, backupsOf(store))
	if err != nil {
		return nil, err
	}
	n := &BackupNames{}
	gone := map[uint64]bool{}
	for _, name := range names {
		id, ext, ok := parseBackupName(name[len(backupsOf(store)):])
		switch {
		case ok && ext == "gone":
			gone[id] = true
		case ok && ext == "json":
			n.Ids = append(n.Ids, id)
		default:
			return nil, &UnreadableError{a.At(name), errors.New("varve writes no such name in the folder of backups")}
		}
		n.highest = max(n.highest, id)
	}
	n.Ids = slices.DeleteFunc(n.Ids, func(id uint64) bool {
		if gone[id] {
			n.Leftover = append(n.Leftover, id)
		}
		return gone[id]
	})
	return n, nil
}

// ManifestParallel is how many manifests are read at a time.
const ManifestParallel = 32

// Backups reads the manifests of all backups of a store, in order of id. The error
// names those that cannot be read, each by an *UnreadableError; the others are
// returned with it.
func (a *Archive) Backups(ctx context.Context, store segment.UUID) ([]*Backup, error) {
	names, err := a.BackupNames(ctx, store)
	if err != nil {
		return nil, err
	}
	return a.ReadBackups(ctx, store, names.Ids)
}

// ReadBackups reads manifests, as Backups does.
func (a *Archive) ReadBackups(ctx context.Context, store segment.UUID, ids []uint64) ([]*Backup, error) {
	all := make([]*Backup, len(ids))
	unreadable := make([]error, len(ids))
	err := parallel.Each(ctx, ManifestParallel, len(ids), func(ctx context.Context, i int) error {
		b, err := a.readBackup(ctx, store, ids[i])
		switch _, bad := errors.AsType[*UnreadableError](err); {
		case bad:
			unreadable[i] = err
		case errors.Is(err, target.ErrNotExist): // deleted meanwhile
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
		return nil, &UnreadableError{a.At(name), errors.New("its content does not match its name")}
	}
	return b, nil
}

// Backup reads the manifest of a backup; with id 0, of the newest. The error wraps
// ErrNoBackup, or is an *UnreadableError, or the target's.
func (a *Archive) Backup(ctx context.Context, store segment.UUID, id uint64) (*Backup, error) {
	names, err := a.BackupNames(ctx, store)
	if err != nil {
		return nil, err
	}
	n := len(names.Ids)
	if id == 0 && n > 0 {
		id = names.Ids[n-1]
	}
	if slices.Contains(names.Ids, id) {
		return a.readBackup(ctx, store, id)
	}
	have := "there is none"
	if n > 0 {
		have = fmt.Sprintf("there are %d, from %d to %d: %s", n, names.Ids[0], names.Ids[n-1], ListBackups)
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
	return a.RemoveBackup(ctx, b.Store, b.ID)
}

// RemoveBackup writes the marker first. From then on the backup counts as deleted: if the work
// is cut off here, the next prune finishes it.
func (a *Archive) RemoveBackup(ctx context.Context, store segment.UUID, id uint64) error {
	err := a.InReserve(ctx, func() error {
		return a.PutMarker(ctx, backupName(store, id, "gone"), &Marker{Why: "backup deleted"})
	})
	if err != nil {
		return err
	}
	return a.target.Delete(ctx, backupName(store, id, "json"))
}

// Previous returns the newest backup, or an empty one if there is none that can be read. An
// unreadable backup does not stop a new one: the new one then relies on nothing.
func (a *Archive) Previous(ctx context.Context, store segment.UUID) (*Backup, error) {
	b, err := a.Backup(ctx, store, 0)
	_, unreadable := errors.AsType[*UnreadableError](err)
	if errors.Is(err, ErrNoBackup) || unreadable {
		return &Backup{}, nil
	}
	return b, err
}

// PutBackup gives a manifest the next id and stores it.
func (a *Archive) PutBackup(ctx context.Context, b *Backup) error {
	names, err := a.BackupNames(ctx, b.Store)
	if err != nil {
		return err
	}
	for id := names.highest; id < math.MaxUint64; {
		id++
		b.ID = id
		err := a.putManifest(ctx, backupName(b.Store, id, "json"), b)
		if err == nil || !errors.Is(err, target.ErrExists) {
			return a.confirmed(ctx, b, err)
		}
	}
	return errors.New("no ids are left for backups")
}

// confirmed resolves an unknown outcome. If the manifest is there, whole and ours, it was
// stored, even if the target answered with an error.
func (a *Archive) confirmed(ctx context.Context, b *Backup, err error) error {
	if err == nil {
		return nil
	}
	there, rerr := a.readBackup(ctx, b.Store, b.ID)
	if rerr == nil && there.Sum == b.Sum {
		return nil
	}
	return err
}
