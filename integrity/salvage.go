package integrity

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Object is an object that salvage found.
type Object struct {
	segment.Object
	Slots  []byte // see segment.Slot; nil: none
	Expiry int64  // ns since 1970 UTC; zero: never

	// MayBeStale says that a newer version of the key, or its deletion, can be among
	// what is lost.
	MayBeStale bool
}

// SalvageOptions are the options of Salvage. The zero value only finds out what is
// lost.
type SalvageOptions struct {
	// Object receives the newest version of each key, in order of sequence number. Its
	// slices are good until it returns. Its error ends Salvage.
	Object func(Object) error

	// Progress is called as n more bytes of the store's files have been looked through.
	Progress func(n int64)
}

// Salvaged says what Salvage found, and what it did not.
type Salvaged struct {
	Path    string       `json:"path"`
	UUID    segment.UUID `json:"uuid"`
	Objects int64        `json:"objects"` // given to SalvageOptions.Object, or that would have been
	Bytes   int64        `json:"bytes"`   // of their values

	// Numbers and LostNumbers count sequence numbers: those of records that were found,
	// superseded ones and deletions included, and those of Lost. Together they are
	// all that the store's logs gave out, as far as that can be known.
	Numbers     uint64 `json:"numbers"`
	LostNumbers uint64 `json:"lost_numbers"`
	LastSeq     uint64 `json:"last_seq"` // the greatest number found

	LostObjects int64  `json:"lost_objects"` // keys of Lost whose newest version it is
	MayBeStale  int64  `json:"may_be_stale"` // objects that were found and may not be the newest version
	Lost        []Loss `json:"lost"`
	Notes       []Note `json:"notes"`
}

// The kinds of a Loss.
const (
	LostPut     = "put"     // one record, its key known
	LostRecords = "records" // puts or deletes whose keys are not known
	LostControl = "control" // bytes that hold no put and no delete: a mark, an edit, an end, a close
	LostSegment = "segment" // a file that is missing, or of which nothing can be read
)

// Loss is one thing that cannot be read.
type Loss struct {
	Kind     string      `json:"kind"`
	Segment  segment.Ref `json:"segment,omitzero"`
	File     string      `json:"file"` // empty: there is none
	Offset   int64       `json:"offset"`
	Bytes    int64       `json:"bytes"`
	Key      string      `json:"key,omitempty"` // as a Go string
	KeyBytes []byte      `json:"key_b64,omitempty"`
	FirstSeq uint64      `json:"first_seq,omitempty"` // zero: not known, or none
	LastSeq  uint64      `json:"last_seq,omitempty"`  // zero: not known, or none
	Reason   string      `json:"reason"`

	// Newest says that no newer version of the key was found: the key is not among the
	// objects. Older is the newest version that can be read, which is
	// not the current one, if there is one.
	Newest bool   `json:"newest"`
	Older  *Place `json:"older,omitempty"`
}

// Place is where a record stands.
type Place struct {
	Segment segment.Ref `json:"segment"`
	File    string      `json:"file"`
	Offset  int64       `json:"offset"`
	Bytes   int64       `json:"bytes"`
	Seq     uint64      `json:"seq"`
}

// Salvage reads all that can be read of the store in fsys, past any damage, and says
// exactly what cannot. It goes by the set that the newest readable log states, or takes all
// segments of the store where there is no such log. Where records cannot be read
// it asks the segment's table for their keys. A key whose newest version is known to be
// lost is not among the objects: an old value is never taken for the current one.
//
// It changes nothing, and needs about as much memory as the index of the open
// store, and what the list of losses takes. The error is one of listing the folder, of
// the callback, or of the context, or wraps ErrNotStore; damage is none, and nor is a file
// that cannot be read.
func Salvage(ctx context.Context, fsys fs.FS, o SalvageOptions) (*Salvaged, error) {
	w := &salvage{ctx: ctx, fs: vfs.FromFS(fsys), o: &o, versions: newVersions(), begun: map[segment.Ref]bool{}, due: 1}
	w.out = &Salvaged{Path: w.fs.Path("."), Lost: []Loss{}, Notes: []Note{}}
	if err := w.run(); err != nil {
		return nil, err
	}
	return w.out, nil
}

// salvage is one run. First it takes note of all versions of all keys, and of what is
// lost; then it reads the newest version of each.
type salvage struct {
	ctx     context.Context
	fs      vfs.FS
	o       *SalvageOptions
	out     *Salvaged
	s       *Survey
	witness *segment.Witness     // of the last close, or nil
	walked  []*Entry             // by version.file
	begun   map[segment.Ref]bool // those of walked
	*versions

	seen    seqSet // numbers whose records were found
	named   seqSet // numbers that are lost, of which the key is known
	losses  []Loss
	due     uint64      // no log to come has a lower number
	follow  segment.Ref // the log that begins with due; zero: not known
	last    uint64      // the greatest number found
	pending []int       // losses that reach up to the next log
	endless bool        // a loss has no known end
}

func (w *salvage) run() error {
	s, err := TakeStock(w.fs, StockOptions{})
	if err != nil {
		return err
	}
	if s.None() {
		return fmt.Errorf("%s: holds no segment: %w", w.fs.Path("."), ErrNotStore)
	}
	w.s, w.out.UUID = s, s.UUID
	var bad, unread error
	if w.witness, bad, unread = ReadWitness(w.fs); bad != nil || unread != nil {
		w.note(LockName, "nothing proves how far the log reached that was closed last: %v", cmp.Or(bad, unread))
	}
	if err := w.all(); err != nil {
		return err
	}
	stale := w.settle()
	w.out.Numbers, w.out.LastSeq = w.seen.count(), w.last
	return w.deliver(stale)
}

// all looks through all files of the store.
func (w *salvage) all() error {
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
	if o := Unaccounted(w.s.Own, h, live); o != nil {
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

// closed notes as lost what the witness of the last close says was there, behind all that
// the logs tell of; next is the log that l, the newest one, names.
func (w *salvage) closed(l *Entry, next segment.Ref) {
	x := w.witness
	if !x.Began(w.out.UUID, l.Header.Ref) || len(w.pending) > 0 { // else nobody knows where it ends
		return
	}
	if x.Ref != l.Header.Ref && next == (segment.Ref{}) {
		w.missing(Loss{Kind: LostSegment, Segment: x.Ref, Reason: "the log is missing; " + Witnessed(x) + " in it"})
	} else if x.LastSeq >= w.due {
		w.losses = append(w.losses, Loss{Kind: LostRecords, Segment: x.Ref, File: l.Name, Offset: l.Size, FirstSeq: w.due, LastSeq: x.LastSeq, Reason: Witnessed(x) + ", and the log ends before that"})
	}
}

// everything takes all files of the store for its segments, since nothing says which
// are.
func (w *salvage) everything(why string) error {
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
func (w *salvage) setOf(l *Entry) (hdr *segment.Header, live segment.Set, next segment.Ref, err error) {
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
	walk := &damagedWalk{r: f.r, src: f.src, to: f.end, rec: func(rec *segment.Record) error {
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
	err = walk.run()
	return hdr, live, next, err
}

// member looks through a segment of the set.
func (w *salvage) member(ref segment.Ref) error {
	list := w.s.FilesOf(ref)
	for _, e := range list {
		if err := w.file(e, e.Header, false); err != nil {
			return err
		}
	}
	if len(list) > 0 {
		return nil
	}
	ids := w.s.Numbered()
	if own := slices.Concat(ids.Headerless[ref.ID], ids.Newer[ref.ID]); len(own) > 0 {
		return w.headerless(own[0], ref, false)
	}
	w.missing(Loss{Kind: LostSegment, Segment: ref, Reason: "the file is missing"})
	return nil
}

// beyond looks for what is newer than the newest log with a sound header.
func (w *salvage) beyond(l *Entry, next segment.Ref) error {
	found := false
	uncovered := slices.DeleteFunc(slices.Clone(w.s.Own), func(e *Entry) bool { return !e.Misnamed() }) // by a torn first write
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
	empty := !w.witness.Began(w.out.UUID, next) && slices.ContainsFunc(w.s.Empty, func(e *Entry) bool { return e.ID == next.ID })
	if next != (segment.Ref{}) && !found && !empty {
		w.missing(Loss{Kind: LostSegment, Segment: next, Reason: "the newest log, which the one before it names, is missing"})
	}
	return w.ctx.Err()
}
