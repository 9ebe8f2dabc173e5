package archive

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// Pin keeps segments from being pruned while a restore reads them. It expires by itself, so a
// restore that was killed blocks nothing for ever. See Archive.Pin.
type Pin struct {
	Format   int           `json:"format"`
	ID       string        `json:"id"` // as in its name
	Store    segment.UUID  `json:"store"`
	What     string        `json:"what"` // who needs it, for people
	Made     time.Time     `json:"made"`
	Expires  time.Time     `json:"expires"`
	Segments []segment.Run `json:"segments"`
	Sum      string        `json:"sum"` // the checksum of all before it

	stored time.Time // by the target's clock
}

func (p *Pin) format() *int { return &p.Format }
func (p *Pin) sum() *string { return &p.Sum }
func (p *Pin) check() error { return checkRuns(p.Segments) }

// Object returns the name of the pin's object.
func (p *Pin) Object() string { return pinsOf(p.Store) + p.ID + ".json" }

// Until is when the pin ends: by its maker's clock or by the target's, whichever is later. So
// a restore has its time also on a machine whose clock is behind.
func (p *Pin) Until() time.Time {
	if t := p.stored.Add(p.Expires.Sub(p.Made)); t.After(p.Expires) {
		return t
	}
	return p.Expires
}

// pinsOf returns the folder of a store's pins.
func pinsOf(store segment.UUID) string { return store.String() + "/restores/" }

// Pin pins segments until unpin is called, or ctx ends. A pin holds for ttl, and is renewed
// before it ends: after a kill it blocks prune for no longer than ttl. what tells people who
// needs the segments. The error names segments that prune has begun to delete. Where the target
// may only be read, nothing is pinned, and the error wraps target.ErrDenied.
func (a *Archive) Pin(ctx context.Context, store segment.UUID, refs []segment.Ref, what string, ttl time.Duration) (unpin func(context.Context) error, err error) {
	set := segment.SetOf(refs...)
	p, err := a.PutPin(ctx, store, set, what, ttl)
	if err != nil {
		return nil, err
	}
	if err := a.RefuseGone(ctx, store, set, 0); err != nil {
		return nil, errors.Join(err, a.target.Delete(ctx, p.Object()))
	}
	ctx, cancel := context.WithCancel(ctx)
	last := make(chan *Pin, 1)
	go func() { last <- a.renew(ctx, p, set, ttl) }()
	return func(ctx context.Context) error {
		cancel()
		p := <-last
		last <- p
		return a.target.Delete(ctx, p.Object())
	}, nil
}

// PutPin pins a set from now on.
func (a *Archive) PutPin(ctx context.Context, store segment.UUID, set segment.Set, what string, ttl time.Duration) (*Pin, error) {
	var id [8]byte
	rand.Read(id[:]) // never fails
	now := time.Now().UTC()
	p := &Pin{ID: hex.EncodeToString(id[:]), Store: store, What: strings.ToValidUTF8(what, "\uFFFD"), Made: now, Expires: now.Add(ttl), Segments: set.Runs()}
	if err := a.putManifest(ctx, p.Object(), p); err != nil {
		return nil, fmt.Errorf("%s: pin what is read: %w", a.At(p.Object()), err)
	}
	return p, nil
}

// renew replaces a pin by a new one whenever half of its time is over, until ctx
// ends. Objects are never overwritten, so the new one is put before the old one is
// deleted. It returns the pin that is there in the end.
func (a *Archive) renew(ctx context.Context, p *Pin, set segment.Set, ttl time.Duration) *Pin {
	for wait := ttl / 2; wait > 0 && target.Sleep(ctx, wait); {
		next, err := a.PutPin(ctx, p.Store, set, p.What, ttl)
		if err != nil {
			wait = ttl / 16 // while the old one holds
			continue
		}
		_ = a.target.Delete(ctx, p.Object()) // else it ends by itself
		p, wait = next, ttl/2
	}
	return p
}

// Pins reads the pins of a store: those that hold at now, and those that have ended and were
// left behind. The error is an *UnreadableError, or the target's.
func (a *Archive) Pins(ctx context.Context, store segment.UUID, now time.Time) (live, ended []*Pin, err error) {
	for info, err := range a.target.List(ctx, pinsOf(store), "") {
		if err != nil {
			return nil, nil, err
		}
		p := &Pin{stored: info.Modified}
		err := a.readManifest(ctx, info.Name, p)
		switch {
		case errors.Is(err, target.ErrNotExist):
			continue // the restore has ended
		case err != nil:
			return nil, nil, err
		case p.Store != store || p.Object() != info.Name:
			return nil, nil, &UnreadableError{a.At(info.Name), errors.New("its content does not match its name")}
		case p.Until().After(now):
			live = append(live, p)
		default:
			ended = append(ended, p)
		}
	}
	return live, ended, nil
}

// names lists the names with a prefix.
func (a *Archive) names(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	for info, err := range a.target.List(ctx, prefix, "") {
		if err != nil {
			return nil, err
		}
		names = append(names, info.Name)
	}
	return names, nil
}

// RefuseGone returns an error that names the segments of a set that prune has begun to delete,
// or has deleted where a tip was given up. It is called once a pin on the set is there. Prune
// first says that its plan waits no more, and then reads the pins. A pinner first writes its
// pin, and then reads the plans. So one of the two sees the other. except is the backup that
// pins the set, or zero.
func (a *Archive) RefuseGone(ctx context.Context, store segment.UUID, set segment.Set, except uint64) error {
	gone, err := a.GivenUp(ctx, store, set, except)
	if err == nil && gone.Len() > 0 {
		err = a.PrunedError(store, gone, "choose another point, or put them back from the store")
	}
	return err
}
