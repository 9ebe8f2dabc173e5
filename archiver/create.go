package archiver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"time"

	"github.com/varve-db/varve/segment"
)

// CreateOptions says what a backup is made of.
type CreateOptions struct {
	Store    fs.FS             // the store's folder
	Receipts *Receipts         // of the store
	Meta     map[string]string // words about the backup, in UTF-8: see CheckMeta
	Now      time.Time         // zero: the present

	// After is what an archiver of the same store and receipts knows whose Once has just
	// shipped: see Archiver.Shipped. It is not looked up again, which is most of the time of a
	// backup of many segments. The backup is of the store as it was then. Nil: of the store as
	// it is.
	After *Shipped
}

// Create makes a backup of a store as its newest sealed log leaves it.
// Archiver.Once goes before: it seals what is in the running log, and ships what is
// not in the archive yet. The backup is a list, and copies nothing. What the
// backup before has must still be listed; of everything else it is asked whether the
// target has it, with the size and, where the target knows it without reading,
// the hash of the receipt. So it costs what is new since the backup before, and a listing.
//
// Where segments have no receipt, or are not in the archive, whether that was accepted or not, the
// error is a *MissingError, and no backup is made: it could not be restored. Where the target
// has something else than the receipt says, it wraps ErrConflict or ErrNotExist.
func Create(ctx context.Context, a *Archive, o CreateOptions) (*Backup, error) {
	if err := CheckMeta(o.Meta); err != nil {
		return nil, err
	}
	st, err := o.newestState()
	if err != nil {
		return nil, err
	}
	if err := haveReceipts(a, &o, st); err != nil {
		return nil, err
	}
	prev, err := a.previous(ctx, st.store)
	if err != nil {
		return nil, err
	}
	b, err := describe(ctx, a, o.Receipts, st, prev)
	if err != nil {
		return nil, err
	}
	if err := allThere(ctx, a, b); err != nil {
		return nil, err
	}
	b.Meta = o.Meta
	b.Time = cmp.Or(o.Now, time.Now()).UTC()
	if err := a.PutBackup(ctx, b); err != nil {
		return nil, err
	}
	// Only now, with the pin in place: see refuseGone.
	if err := a.refuseGone(ctx, b.Store, setOfRuns(b.Segments), b.ID); err != nil {
		return nil, errors.Join(err, a.deleteBackup(ctx, b.Store, b.ID))
	}
	return b, nil
}

// Unshipped returns the segments that a backup made now would need, and of which there is no
// receipt of the archive. The target is not asked.
func Unshipped(a *Archive, o *CreateOptions) ([]segment.Ref, error) {
	if err := opens(o.Store); err != nil { // then nothing will come of it
		return nil, err
	}
	st, err := o.newestState()
	if err != nil {
		return nil, err
	}
	err = haveReceipts(a, o, st)
	if missing, ok := errors.AsType[*MissingError](err); ok {
		return missing.Missing, nil
	}
	return nil, err
}

// state is a store as its newest sealed log leaves it.
type state struct {
	store segment.UUID
	tip   segment.Ref
	set   *refSet // the tip and the live set at its end
}

// newestState reads the header of the newest sealed log, and its edits. Which one that
// is, may be known from what was noted beside the receipts, or from the archiver that
// has just shipped.
func (o *CreateOptions) newestState() (st *state, err error) {
	src := NewSource(o.Store)
	if o.After != nil {
		st, err = src.newestOf(o.After.Listing)
	} else {
		src.recall(o.Receipts.fsys)
		st, err = src.newestState()
	}
	if errors.Is(err, errOtherSegment) || o.After != nil && errors.Is(err, fs.ErrNotExist) { // it is not so any more
		return NewSource(o.Store).newestState()
	}
	return st, err
}

// errOtherSegment is the error for a file that holds another segment than it did.
var errOtherSegment = errors.New("the file holds another segment than it did; try again")

func (s *Source) newestState() (*state, error) {
	list, err := s.Segments()
	if err != nil {
		return nil, err
	}
	return s.newestOf(list)
}

// newestOf is newestState where the folder was listed just before.
func (s *Source) newestOf(list *Listing) (*state, error) {
	replaced, err := s.replaced()
	if err != nil {
		return nil, err
	}
	for _, g := range slices.Backward(list.Segments) {
		if g.Kind != segment.Log || g.Ref == replaced {
			continue
		}
		if n := len(list.Damaged); n > 0 && list.Damaged[n-1].Name > g.Name {
			return nil, list.Damaged[n-1].Err // it may be the newest log
		}
		return readState(s.fsys, g)
	}
	if len(list.Damaged) > 0 {
		return nil, list.Damaged[0].Err
	}
	return nil, fmt.Errorf("the store has no sealed log yet: nothing to back up: %w", fs.ErrNotExist)
}

// replaced returns the log that the newest unsealed log replaces, if any: after
// an open that went back, a sealed log can be one that is no longer of the store.
func (s *Source) replaced() (segment.Ref, error) {
	logs, err := s.logs()
	if err != nil {
		return segment.Ref{}, err
	}
	for _, f := range logs {
		h, err := s.header(f.name)
		if err == nil && h.Kind == segment.Log {
			return h.Replaced, nil
		}
	}
	return segment.Ref{}, nil
}

func readState(fsys fs.FS, g Sealed) (*state, error) {
	f, err := fsys.Open(g.Name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, size, err := readerAt(f)
	if err != nil {
		return nil, err
	}
	r, err := segment.NewReader(src, size)
	if err != nil {
		return nil, segment.InFile(g.Name, err)
	}
	if h := r.Header; h.UUID != g.Store || h.Ref != g.Ref || h.Kind != g.Kind {
		return nil, fmt.Errorf("%s: %w", g.Name, errOtherSegment)
	}
	set := r.Header.Live.With(r.Header.Ref)
	for rec, err := range r.Records(segment.Span{}) {
		if err != nil {
			return nil, segment.InFile(g.Name, err)
		}
		if rec.Kind != segment.Edit {
			continue
		}
		whole, err := r.RecordAt(rec.Offset, rec.Offset+rec.Size)
		if err != nil {
			return nil, segment.InFile(g.Name, err)
		}
		e, err := whole.ParseEdit()
		if err != nil {
			return nil, segment.InFile(g.Name, err)
		}
		set = e.Apply(set)
	}
	return &state{r.Header.UUID, r.Header.Ref, &refSet{set: set}}, nil
}

// haveReceipts returns a *MissingError if a segment of the state has no receipt.
func haveReceipts(a *Archive, o *CreateOptions, st *state) (err error) {
	var refs []segment.Ref
	if o.After != nil && o.After.Target == a.ident.ID {
		refs = o.After.Refs
	} else {
		refs, err = o.Receipts.Refs(a.ident.ID)
	}
	if err != nil {
		return err
	}
	if missing := st.set.minus(setOf(refs)); missing.len() > 0 {
		return &MissingError{Where: a.target.URL(), Store: st.store,
			Missing: slices.SortedFunc(missing.refs(), segment.Ref.Compare)}
	}
	return nil
}

// previous returns the newest backup, or an empty one if there is none that can be
// read: one that cannot is a reason to rely on nothing, not to make no backup.
func (a *Archive) previous(ctx context.Context, store segment.UUID) (*Backup, error) {
	b, err := a.Backup(ctx, store, 0)
	_, unreadable := errors.AsType[*UnreadableError](err)
	if errors.Is(err, ErrNoBackup) || unreadable {
		return &Backup{}, nil
	}
	return b, err
}

// describe writes the manifest of a state, but for id and time.
func describe(ctx context.Context, a *Archive, receipts *Receipts, st *state, prev *Backup) (*Backup, error) {
	had := setOfRuns(prev.Segments)
	fresh, lost := st.set.minus(had), had.minus(st.set)
	b := &Backup{Store: st.store, Tip: st.tip, Objects: prev.Objects, Bytes: prev.Bytes, Segments: st.set.normal()}
	total := parseSetDigest(prev.Digest)
	for ref := range lost.refs() {
		r, ok, err := receipts.Get(a.ident.ID, ref)
		if err != nil {
			return nil, err
		}
		if !ok { // made where other segments are: count everything anew
			return describe(ctx, a, receipts, st, &Backup{})
		}
		b.Objects, b.Bytes = b.Objects-int64(r.Puts), b.Bytes-r.Size
		total.remove(term(ref, r.Size, r.SHA256))
	}
	added := make([]Receipt, 0, fresh.len())
	for ref := range fresh.refs() {
		r, ok, err := receipts.Get(a.ident.ID, ref)
		if err == nil && !ok {
			err = &MissingError{Where: a.target.URL(), Store: st.store, Missing: []segment.Ref{ref}}
		}
		if err != nil {
			return nil, err
		}
		added = append(added, r)
		b.Objects, b.Bytes, b.OwnBytes = b.Objects+int64(r.Puts), b.Bytes+r.Size, b.OwnBytes+r.Size
		total.add(term(ref, r.Size, r.SHA256))
	}
	b.Digest = total.digest()
	tip, ok, err := receipts.Get(a.ident.ID, st.tip)
	if err != nil || !ok {
		return nil, cmp.Or(err, error(&MissingError{Where: a.target.URL(), Store: st.store, Missing: []segment.Ref{st.tip}}))
	}
	b.Seq, b.LogTime = tip.LastSeq, tip.LastTime
	return b, askFor(ctx, a, added)
}

// allThere lists the archive, and returns a *MissingError for segments of a backup that it lacks.
func allThere(ctx context.Context, a *Archive, b *Backup) error {
	all, err := a.allContents(ctx, b.Store, a.cuts(b))
	if err != nil {
		return err
	}
	there := &refSet{}
	for _, c := range all {
		for _, x := range c.Segments {
			there.addRefs([]segment.Ref{x.Ref})
		}
	}
	if missing := setOfRuns(b.Segments).minus(there); missing.len() > 0 {
		return &MissingError{Where: a.target.URL(), Store: b.Store, Missing: slices.SortedFunc(missing.refs(), segment.Ref.Compare)}
	}
	return nil
}

// askFor compares receipts with what the target says of the objects without reading
// them.
func askFor(ctx context.Context, a *Archive, receipts []Receipt) error {
	return fanOut(ctx, manifestParallel, len(receipts), func(ctx context.Context, i int) error {
		r := &receipts[i]
		info, err := a.target.Stat(ctx, r.Object)
		if errors.Is(err, ErrNotExist) {
			return fmt.Errorf("%s: there is a receipt for it: %w; varve archive repair puts it back from the store", a.at(r.Object), err)
		}
		if err != nil {
			return err
		}
		if info.Size != r.Size || info.SHA256 != [32]byte{} && Digest(info.SHA256) != r.SHA256 {
			return fmt.Errorf("%s: %w: it has %d bytes, SHA-256 %v (zero: unknown); the receipt says %d bytes, %v; varve archive audit tells more",
				a.at(r.Object), ErrConflict, info.Size, Digest(info.SHA256), r.Size, r.SHA256)
		}
		return nil
	})
}

// PutBackup stores a manifest under the next id, which it gives it.
func (a *Archive) PutBackup(ctx context.Context, b *Backup) error {
	names, err := a.backupNames(ctx, b.Store)
	if err != nil {
		return err
	}
	for id := names.highest; id < math.MaxUint64; {
		id++
		b.ID = id
		err := a.putManifest(ctx, backupName(b.Store, id, "json"), b)
		if err == nil || !errors.Is(err, ErrExists) {
			return a.settled(ctx, b, err)
		}
	}
	return errors.New("no ids are left for backups")
}

// settled resolves an unknown outcome: a manifest that is there whole, and ours, was
// stored, whatever became of the answer.
func (a *Archive) settled(ctx context.Context, b *Backup, err error) error {
	if err == nil {
		return nil
	}
	there, rerr := a.readBackup(ctx, b.Store, b.ID)
	if rerr == nil && there.Sum == b.Sum {
		return nil
	}
	return err
}
