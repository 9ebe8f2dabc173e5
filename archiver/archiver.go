package archiver

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/archiver/internal/throttle"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"golang.org/x/time/rate"
)

// An Archiver ships the segments of one store. Run and Once are called one at a
// time; the other methods at any time, from any goroutine.
type Archiver struct {
	opt      Options
	source   *source.Source
	receipts *receipt.Folder
	limit    *rate.Limiter // nil: none
	shippers []*shipper    // one for each target, in the order given, those to be opened last
	backoff  target.Backoff
	timeout  target.Timeout // of an attempt to ship
	tries    int            // failures in a row that make Once give up: on a segment, or on a target

	verifying chan struct{} // holds one token: one segment is verified at a time
	standing  standing      // of the goroutine that scans
	saving    sync.Mutex    // held while the status is written

	mu        sync.Mutex      // guards what follows; no shipper's lock is taken under it
	listing   *source.Listing // the newest
	noted     map[string]bool
	skipped   map[string]*skipped             // damaged files, by name
	checked   map[segment.Ref]*sealed.Segment // verified, and not yet everywhere
	troubles  map[alarm.Kind]Alarm            // of the store's side
	settledAt *settled                        // the newest moment with nothing on the way; nil: none yet
	written   source.LogFile                  // the newest log that a living writer had at such a moment
	drill     time.Time                       // of the last restore drill that succeeded
	broken    error                           // why the store does not open for writing
	looked    time.Time                       // begin of the last look at the store that succeeded
	unsealed  *source.OpenLog                 // the oldest log that held objects then; nil: none
	worker    *Worker                         // this archiver; nil: it has not begun
	working   bool
	onSent    []func(Sent)
}

// New returns an Archiver that has done nothing yet but look for receipts.
func New(o Options) (*Archiver, error) {
	o, err := o.resolved()
	if err != nil {
		return nil, err
	}
	receipts, err := receipt.Open(o.receipts)
	if err != nil {
		return nil, err
	}
	a := &Archiver{
		opt: o, source: source.New(o.Store), receipts: receipts, limit: throttle.Limit(o.Rate), tries: defaultTries,
		backoff: target.Backoff{Base: time.Second, Most: time.Minute}, timeout: o.timeout(),
		verifying: make(chan struct{}, 1),
		listing:   &source.Listing{}, noted: map[string]bool{}, skipped: map[string]*skipped{},
		checked: map[segment.Ref]*sealed.Segment{}, troubles: map[alarm.Kind]Alarm{}, standing: standing{opens: source.CheckOpens},
	}
	var wg sync.WaitGroup
	wg.Go(func() { a.source.Recall(vfs.AsFS(o.receipts)) })
	last, _ := readStatus(o.receipts) // where it cannot be read, it is written anew
	for _, t := range o.Targets {
		a.shippers = append(a.shippers, newShipper(a, t.URL(), t))
	}
	for _, u := range o.Unopened {
		l := newShipper(a, u.URL, nil)
		l.open = u.Open
		a.shippers = append(a.shippers, l)
	}
	for _, l := range a.shippers {
		l.recall(&last)
	}
	wg.Wait()
	return a, nil
}

// scan lists the store's folder, and hands each shipper the segments that its target lacks.
func (a *Archiver) scan() error {
	begun := time.Now()
	unsealed, unread := a.source.OldestUnsealed() // before the listing, so that what is sealed meanwhile is in one of both
	found, err := a.source.Segments()
	var broken error
	if err == nil {
		broken = a.standing.judge(a.opt.Store, found.State)
	}
	a.mu.Lock()
	if err == nil {
		err = a.adopt(found)
	}
	a.trouble(alarm.Store, errors.Join(err, unread))
	if err == nil {
		a.broken = broken
		a.trouble(alarm.Broken, broken)
	}
	if err == nil && unread == nil {
		a.looked, a.unsealed = begun.UTC(), unsealed
	}
	a.mu.Unlock()
	if err != nil {
		return err
	}
	for _, l := range a.shippers {
		l.offer()
	}
	a.readDrill()
	return nil
}

// adopt makes a listing the newest, if it is of the same store as the one before. The
// caller holds a.mu.
func (a *Archiver) adopt(found *source.Listing) error {
	was := a.listing.Store
	if was != (segment.UUID{}) && found.Store != was {
		if found.Store == (segment.UUID{}) {
			return fmt.Errorf("the store's folder holds no segments any more, and had %d of store %v; mount it, or restore it", len(a.listing.Segments), was)
		}
		return fmt.Errorf("the store's folder holds segments of store %v now, and was that of %v; start the archiver again if this is meant", found.Store, was)
	}
	a.listing = found
	for _, name := range found.Ignored {
		if !a.noted[name] {
			a.noted[name] = true
			a.opt.Logger.Warn("not shipped: a segment of another store, or a second file of the same segment", "file", name)
		}
	}
	there := map[string]bool{}
	for _, g := range found.Damaged {
		there[g.Name] = true
		a.skipLocked(g, g.Err)
	}
	for _, g := range found.Segments {
		there[g.Name] = true
	}
	for name := range a.skipped {
		if !there[name] {
			delete(a.skipped, name)
		}
	}
	return nil
}

// trouble sets the alarm of a kind about the store, or clears it if err is nil. The caller
// holds a.mu.
func (a *Archiver) trouble(kind alarm.Kind, err error) {
	t, ok := a.troubles[kind]
	switch {
	case err == nil && ok:
		delete(a.troubles, kind)
		a.opt.Logger.Info("alarm ended", "kind", kind)
	case err != nil && !ok:
		a.opt.Logger.Error("alarm", "kind", kind, "err", err)
		t = Alarm{Kind: kind, Since: time.Now().UTC()}
		fallthrough
	case err != nil:
		t.Message = err.Error()
		a.troubles[kind] = t
	}
}
