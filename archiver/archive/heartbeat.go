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

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// The newest commit in an archive does not show how fresh the archive is: perhaps nobody has
// written to the store since, perhaps its archiver has died. A heartbeat shows which.

// Heartbeat says that everything that was committed on a timeline up to a moment is archived.
// A new one replaces those before it: it is put, and then they are removed. Where the target
// does not let them be removed, they stay, and do no harm.
type Heartbeat struct {
	Format   int              `json:"format"`
	ID       uint64           `json:"id"` // as in its name; a greater one is newer
	Store    segment.UUID     `json:"store"`
	Timeline segment.Timeline `json:"timeline"`
	Seq      uint64           `json:"seq"` // the last sequence number of the timeline at that moment, which is archived
	At       time.Time        `json:"at"`  // whatever is committed after Seq has a later commit time
	Sum      string           `json:"sum"` // the checksum of all before it
}

func (h *Heartbeat) format() *int { return &h.Format }
func (h *Heartbeat) sum() *string { return &h.Sum }

// Object returns the name of the heartbeat's object.
func (h *Heartbeat) Object() string { return heartbeatName(h.Store, h.ID) }
func (h *Heartbeat) check() error {
	if h.ID == 0 || h.Timeline == 0 || !segment.InClock(h.At) {
		return errors.New("a heartbeat without a number, a timeline or a moment")
	}
	return nil
}

// heartbeatsOf returns the folder of a store's heartbeats.
func heartbeatsOf(store segment.UUID) string { return store.String() + "/heartbeat/" }

func heartbeatName(store segment.UUID, id uint64) string {
	return fmt.Sprintf("%s%020d.json", heartbeatsOf(store), id)
}

// heartbeatIDs lists the heartbeats of a store, in order, and the names in their folder
// that are not varve's.
func (a *Archive) heartbeatIDs(ctx context.Context, store segment.UUID) (ids []uint64, unknown []string, err error) {
	for info, err := range a.target.List(ctx, heartbeatsOf(store), "") {
		if err != nil {
			return nil, nil, err
		}
		base := strings.TrimSuffix(info.Name[len(heartbeatsOf(store)):], ".json")
		id, err := strconv.ParseUint(base, 10, 64)
		if err != nil || id == 0 || heartbeatName(store, id) != info.Name {
			unknown = append(unknown, info.Name)
			continue
		}
		ids = append(ids, id)
	}
	return ids, unknown, nil
}

// readHeartbeat reads a heartbeat. The error is an *UnreadableError, wraps target.ErrNotExist,
// or is the target's.
func (a *Archive) readHeartbeat(ctx context.Context, store segment.UUID, id uint64) (*Heartbeat, error) {
	h := &Heartbeat{}
	name := heartbeatName(store, id)
	if err := a.readManifest(ctx, name, h); err != nil {
		return nil, err
	}
	if h.Store != store || h.ID != id {
		return nil, &UnreadableError{a.At(name), errors.New("its content does not match its name")}
	}
	return h, nil
}

// Heartbeat returns the newest heartbeat of a timeline, nil if there is none. One that
// cannot be read proves nothing, and is passed over. The error is the target's.
func (a *Archive) Heartbeat(ctx context.Context, store segment.UUID, t segment.Timeline) (*Heartbeat, error) {
	const looks = 3 // the archiver may take away what was listed
	for range looks {
		ids, _, err := a.heartbeatIDs(ctx, store)
		if err != nil {
			return nil, err
		}
		vanished := false
		for _, id := range slices.Backward(ids) {
			h, err := a.readHeartbeat(ctx, store, id)
			_, unreadable := errors.AsType[*UnreadableError](err)
			switch {
			case unreadable:
			case errors.Is(err, target.ErrNotExist):
				vanished = true
			case err != nil:
				return nil, err
			case h.Timeline == t:
				return h, nil
			}
		}
		if !vanished {
			return nil, nil
		}
	}
	return nil, nil
}

// PutHeartbeat gives a heartbeat the next number, stores it, and removes the earlier ones of
// its timeline. kept reports that the target did not let one be removed, which is no error.
func (a *Archive) PutHeartbeat(ctx context.Context, h *Heartbeat) (kept bool, err error) {
	ids, _, err := a.heartbeatIDs(ctx, h.Store)
	if err != nil {
		return false, err
	}
	if n := len(ids); n > 0 {
		h.ID = ids[n-1]
	}
	for err = target.ErrExists; errors.Is(err, target.ErrExists); err = a.putManifest(ctx, h.Object(), h) {
		if h.ID == math.MaxUint64 {
			return false, errors.New("no numbers are left for heartbeats")
		}
		h.ID++
	}
	if err != nil {
		return false, err
	}
	for _, id := range slices.Backward(ids) {
		old, err := a.readHeartbeat(ctx, h.Store, id)
		if err != nil || old.Timeline != h.Timeline {
			continue
		}
		if a.target.Delete(ctx, old.Object()) != nil {
			return true, nil
		}
	}
	return false, nil
}

// Heartbeats reads all heartbeats of a store: the newest of each timeline; those that a newer
// one has replaced; and a note on each name and object that varve does not write or that
// cannot be read.
func (a *Archive) Heartbeats(ctx context.Context, store segment.UUID) (newest map[segment.Timeline]*Heartbeat, older []*Heartbeat, unknown []string, unreadable []error, err error) {
	ids, unknown, err := a.heartbeatIDs(ctx, store)
	newest = map[segment.Timeline]*Heartbeat{}
	for _, id := range slices.Backward(ids) {
		h, err := a.readHeartbeat(ctx, store, id)
		if _, bad := errors.AsType[*UnreadableError](err); bad {
			unreadable = append(unreadable, err)
			continue
		}
		switch {
		case errors.Is(err, target.ErrNotExist): // a newer one has taken its place
		case err != nil:
			return nil, nil, nil, nil, err
		case newest[h.Timeline] != nil:
			older = append(older, h)
		default:
			newest[h.Timeline] = h
		}
	}
	return newest, older, unknown, unreadable, err
}
