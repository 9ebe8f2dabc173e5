package archiver

import (
	"context"
	"errors"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// This is how an archiver proves that everything up to a moment T is archived.
//
// A commit gets its time under its writer's lock: the clock's, or one nanosecond after the
// commit before, if that is later. It reaches the file after that, in buffered mode up to
// seconds later. So the folder alone proves nothing. These steps do:
//
//	 1. T is the time now.
//	 2. The writer, if there is one, is asked to write what it has to its files: see Barrier.
//	    What it accepts from then on gets a time after T. If no writer holds the lock,
//	    there are no commits on the way, and the next writer's get a time after T.
//	 3. The newest log holds no object, and all of it is whole: it ends with a mark or a
//	    close. Without a writer, it must be the very file that the last writer had: it
//	    ends with the close record of this very file, or this archiver saw it beside the
//	    writer. A copy of a store's folder does not show what the store did since.
//	 4. The store opens, all sealed segments are listed, none is damaged, and each has been
//	    shipped.
//
// One assumption remains: the clock of the store's machine is not put back behind T before the
// next commit. If it is, a restore of a moment between the two lacks that commit, until that is
// archived.
//
// No lock is held meanwhile. It would prove no more: a writer that opens the store after the
// lock was looked at gives times after T, and one that opened it before is seen there. And it
// would keep writers out of their store.
//
// Without this proof there is no heartbeat. These cases have none:
//
//   - A writer that cannot be asked, as by an archiver that writes nothing into the store's
//     folder: a commit has its time before it is in a file.
//   - A copy of a closed store: the store itself may have gone on, on the same timeline. Once
//     the copy was opened for writing, it has a timeline of its own.
//   - A kill, where this archiver did not see the writer at work on that log: what a killed
//     writer left looks like a copy of the folder of a live one. It ends when the store is
//     opened for writing again. An archiver with a Sealer has the store opened, to ship what is
//     in the log.

// A Barrier makes sure that every commit is in the store's folder.
type Barrier interface {
	// Settle reports whether a writer has the store open. If so, it returns only when each
	// commit that began before the call is in the store's files. The error says that this
	// is not known.
	Settle(ctx context.Context) (live bool, err error)
}

// settleTimeout bounds how long the writer may take to answer.
const settleTimeout = 10 * time.Second

// settled is a moment before which everything is archived, once a target has the segments.
type settled struct {
	at       time.Time
	store    segment.UUID
	timeline segment.Timeline
	seq      uint64
	segments []source.Sealed
}

// moment is a point in time, and what was found out of whether all before it is in sealed
// segments.
type moment struct {
	at    time.Time
	live  bool            // a writer has the store open
	log   source.EmptyLog // the newest one
	empty bool            // log is set: there is no other with an object, and it is whole
	err   error           // why it is not known
}

var errNoBarrier = errors.New("no writer can be asked whether commits are on the way")

// settle finds out whether nothing is on the way, and remembers the moment.
func (a *Archiver) settle(ctx context.Context) error {
	if _, ok, err := a.source.EmptyLog(); err != nil || !ok { // then the writer need not be asked
		return err
	}
	m := a.ask(ctx)
	a.lookAt(m)
	found, err := a.source.Segments()
	if m.err = errors.Join(m.err, err); m.err == nil {
		a.remember(m, found)
	}
	return m.err
}

// ask takes the first two steps.
func (a *Archiver) ask(ctx context.Context) *moment {
	m := &moment{at: time.Now(), err: errNoBarrier}
	if a.opt.Barrier != nil {
		ctx, cancel := context.WithTimeout(ctx, settleTimeout)
		defer cancel()
		m.live, m.err = a.opt.Barrier.Settle(ctx)
	}
	return m
}

// lookAt takes the third step. Its caller lists the segments after it, so that all before the
// log are listed.
func (a *Archiver) lookAt(m *moment) {
	if m.err == nil {
		m.log, m.empty, m.err = a.source.EmptyLog()
	}
}

// remember keeps the moment, if the folder proves it. found was listed after lookAt.
func (a *Archiver) remember(m *moment, found *source.Listing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m.err != nil || !m.empty || a.broken != nil || len(found.Damaged)+len(found.Ignored) > 0 || len(found.Segments) == 0 {
		return
	}
	if m.live {
		a.written = m.log.File
	}
	seen := m.log.File == a.written && a.written.Birth != 0
	if last := time.Unix(0, m.log.Time); last.After(m.at) {
		m.at = last // the log proves it for all before its last record
	}
	if (m.live || m.log.Closed || seen) && segment.InClock(m.at) {
		a.settledAt = &settled{m.at.UTC().Round(0), found.Store, m.log.Ref.Timeline, m.log.Seq, found.Segments}
	}
}

// heartbeatEvery is the time between two heartbeats of a store that nobody writes to. It is
// heartbeatKept where the target does not let old ones be removed.
const (
	heartbeatEvery = time.Minute
	heartbeatKept  = time.Hour
)

// pulse settles the store once every heartbeatEvery, until ctx ends.
func (a *Archiver) pulse(ctx context.Context) {
	for wait := firstLook; target.Sleep(ctx, wait); wait = heartbeatEvery {
		if err := a.settle(ctx); err != nil && ctx.Err() == nil {
			a.opt.Logger.Debug("no heartbeat: it is not known whether commits are on the way", "err", err)
		}
	}
}

// beat is the fourth step: it puts a heartbeat, if there is a newer moment and the target has
// every segment up to it.
func (l *shipper) beat(ctx context.Context) {
	l.a.mu.Lock()
	s, skipped := l.a.settledAt, len(l.a.skipped)
	l.a.mu.Unlock()
	l.mu.Lock()
	due := s != nil && skipped == 0 && l.stopped == nil && l.id.ID != "" && s.at.After(l.beaten) &&
		(!l.kept || s.at.Sub(l.beaten) >= heartbeatKept)
	for i := 0; due && i < len(s.segments); i++ {
		_, due = l.done[s.segments[i].Ref]
	}
	id := l.id
	l.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := target.WithTimeout(ctx, l.a.timeout.For(0))
	defer cancel()
	arc := archive.Of(l.target, id)
	kept, err := arc.PutHeartbeat(ctx, &archive.Heartbeat{Store: s.store, Timeline: s.timeline, Seq: s.seq, At: s.at})
	if err != nil {
		l.a.opt.Logger.Warn("heartbeat not written", "target", l.url, "err", err)
		return
	}
	l.mu.Lock()
	l.beaten, l.kept = s.at, kept
	l.mu.Unlock()
}
