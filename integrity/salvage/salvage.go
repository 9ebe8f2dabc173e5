package salvage

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/internal/walk"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Run reads all that can be read of the store in fsys, past any damage, and says
// exactly what cannot. It goes by the set that the newest readable log states, or takes all
// segments of the store where there is no such log. Where records cannot be read
// it asks the segment's table for their keys. A key whose newest version is known to be
// lost is not among the objects: an old value is never taken for the current one.
//
// It changes nothing, and needs about as much memory as the index of the open
// store, and the memory of the list of losses. An error is one of listing the folder, of
// the callback, or of the context, an *integrity.UnfinishedError, or wraps integrity.ErrNotStore. Damage
// is no error, nor is a file that cannot be read.
func Run(ctx context.Context, fsys fs.FS, o Options) (*Report, error) {
	w := &salvager{ctx: ctx, fs: vfs.FromFS(fsys), o: &o, versions: newVersions(), begun: map[segment.Ref]bool{}, due: 1}
	w.out = &Report{Path: w.fs.Path("."), Lost: []Loss{}, Notes: []integrity.Note{}}
	if err := w.run(); err != nil {
		return nil, err
	}
	return w.out, nil
}

// salvager is one run. First it notes all versions of all keys, and what is lost. Then it reads the
// newest version of each key.
type salvager struct {
	ctx     context.Context
	fs      vfs.FS
	o       *Options
	out     *Report
	s       *integrity.Inventory
	witness *segment.Witness     // of the last close, or nil
	walked  []*integrity.Entry   // by version.file
	begun   map[segment.Ref]bool // the segments of walked
	*versions

	seen    seqSet // numbers whose records were found
	named   seqSet // lost numbers whose key is known
	losses  []Loss
	due     uint64      // no log to come has a lower number
	follow  segment.Ref // the log that begins with due; zero: not known
	last    uint64      // the greatest number found
	pending []int       // losses that reach up to the next log
	endless bool        // a loss has no known end
}

func (w *salvager) run() error {
	s, err := integrity.ReadHeaders(w.fs, integrity.HeaderOptions{})
	if err == nil {
		err = s.NoStore()
	}
	if err != nil {
		return err
	}
	w.s, w.out.UUID = s, s.UUID
	var bad, unread error
	if w.witness, bad, unread = integrity.ReadWitness(w.fs); bad != nil || unread != nil {
		w.note(segment.LockName, "nothing proves how far the log reached that was closed last: %v", cmp.Or(bad, unread))
	}
	if err := w.all(); err != nil {
		return err
	}
	stale := w.finish()
	w.out.Numbers, w.out.LastSeq = w.seen.count(), w.last
	return w.deliver(stale)
}

// all looks through all files of the store.
func (w *salvager) all() error {
	l := w.s.NewestLog()
	if l == nil {
		return w.everything("no log has a sound header")
	}
	h, live, next, err := w.setOf(l)
	if err != nil {
		return err
	}
	if h == nil {
		return w.everything(fmt.Sprintf("the set of segments in %s cannot be read any more", l.Name))
	}
	if o := integrity.Unaccounted(w.s.Own, h, live); o != nil {
		return w.everything(fmt.Sprintf("%s does not know of %s, one of them does not belong here", l.Name, o.Name))
	}
	for ref := range live.All() {
		if ref == l.Header.Ref {
			continue
		}
		if err := w.member(ref); err != nil {
			return err
		}
	}
	for _, e := range w.s.FilesOf(l.Header.Ref) {
		if err := w.file(e, e.Header, next == (segment.Ref{})); err != nil {
			return err
		}
	}
	if err := w.beyond(l, next); err != nil {
		return err
	}
	w.closed(l, next)
	return nil
}

// closed notes a loss if the witness of the last close says that there was more than the logs hold;
// next is the log that l, the newest one, names.
func (w *salvager) closed(l *integrity.Entry, next segment.Ref) {
	x := w.witness
	if !x.Began(w.out.UUID, l.Header.Ref) || len(w.pending) > 0 { // else its end is not known
		return
	}
	if x.Ref != l.Header.Ref && next == (segment.Ref{}) {
		w.missing(Loss{Kind: LostSegment, Segment: x.Ref, Reason: "the log is missing; " + integrity.Witnessed(x) + " in it"})
	} else if x.LastSeq >= w.due {
		w.losses = append(w.losses, Loss{Kind: LostRecords, Segment: x.Ref, File: l.Name, Offset: l.Size, FirstSeq: w.due, LastSeq: x.LastSeq, Reason: integrity.Witnessed(x) + ", and the log ends before that"})
	}
}

// everything takes all files of the store for its segments, since nothing says which of them are.
func (w *salvager) everything(why string) error {
	w.note("", "%s: all files of the store are taken for its segments", why)
	for _, e := range w.s.Own {
		if err := w.file(e, e.Header, false); err != nil {
			return err
		}
	}
	for _, e := range slices.Concat(w.s.Headerless(), w.s.Newer) {
		w.whole(e, segment.Ref{}, "no sound header, and nothing says which segment this is")
	}
	return w.ctx.Err()
}

// setOf returns the header of the newest log, the segments that the log says the store
// is made of, and the log that follows it. The header is nil if it cannot be read again.
func (w *salvager) setOf(l *integrity.Entry) (hdr *segment.Header, live segment.Set, next segment.Ref, err error) {
	f, err := w.open(l, l.Header)
	if err != nil {
		w.note(l.Name, "the set of segments cannot be read: %v", err)
		return nil, live, next, w.ctx.Err()
	}
	defer f.Close()
	if hdr, err = l.WholeHeader(f); err != nil {
		w.note(l.Name, "the set of segments cannot be read: %v", err)
		return nil, live, next, w.ctx.Err()
	}
	live = hdr.Live
	walk := &walk.Walk{R: f.r, Src: f.src, To: f.end, Rec: func(rec *segment.Record) error {
		switch rec.Kind {
		case segment.Edit:
			if e, err := rec.ParseEdit(); err == nil {
				live = e.Apply(live)
			}
		case segment.End:
			next = rec.Successor()
		}
		return w.ctx.Err()
	}}
	err = walk.Run()
	return hdr, live, next, err
}

// member looks through a segment of the set.
func (w *salvager) member(ref segment.Ref) error {
	list := w.s.FilesOf(ref)
	for _, e := range list {
		if err := w.file(e, e.Header, false); err != nil {
			return err
		}
	}
	if len(list) > 0 {
		return nil
	}
	ids := w.s.FilesByID()
	if own := slices.Concat(ids.Headerless[ref.ID], ids.Newer[ref.ID]); len(own) > 0 {
		return w.headerless(own[0], ref, false)
	}
	w.missing(Loss{Kind: LostSegment, Segment: ref, Reason: "the file is missing"})
	return nil
}

// beyond looks for what is newer than the newest log with a sound header.
func (w *salvager) beyond(l *integrity.Entry, next segment.Ref) error {
	found := false
	uncovered := slices.DeleteFunc(slices.Clone(w.s.Own), func(e *integrity.Entry) bool { return !e.Misnamed() }) // by a torn first write
	for _, e := range slices.Concat(w.s.Headerless(), w.s.Newer, uncovered) {
		switch {
		case e.ID == next.ID:
			found = true
			if err := w.headerless(e, next, true); err != nil {
				return err
			}
		case e.ID > l.Header.Ref.ID && e.Header == nil:
			found = true
			w.whole(e, segment.Ref{}, "no sound header, and nothing says which segment this is")
		}
	}
	empty := !w.witness.Began(w.out.UUID, next) && slices.ContainsFunc(w.s.Empty, func(e *integrity.Entry) bool { return e.ID == next.ID })
	if next != (segment.Ref{}) && !found && !empty {
		w.missing(Loss{Kind: LostSegment, Segment: next, Reason: "the newest log, which the one before it names, is missing"})
	}
	return w.ctx.Err()
}
