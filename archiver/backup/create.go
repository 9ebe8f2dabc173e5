package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// CreateOptions says what a backup is made of.
type CreateOptions struct {
	Store    fs.FS             // the store's folder
	Receipts string            // the path of the folder of receipts: see archiver.Options
	Meta     map[string]string // words about the backup, in UTF-8: see archive.CheckMeta
	Now      time.Time         // zero: the present

	// After is what an archiver of the same store and receipts knows, whose Once has just
	// shipped: see archiver.Archiver.Shipped. What it knows is not looked up again, which saves
	// most of the time of a large backup. The backup is of the store as it was then. Nil: of the
	// store as it is now.
	After *source.Shipped
}

// Create makes a backup of a store as its newest sealed log leaves it. Call
// archiver.Archiver.Once before: it seals what is in the running log, and ships what is not in
// the archive yet. The backup is a list, and copies nothing.
//
// What the backup before has must still be listed. For all else Create asks the target whether
// it has the object, with the size and, where the target knows it without reading, the hash of
// the receipt. So a backup costs a listing, and what is new since the backup before.
//
// Where segments have no receipt, or are not in the archive (accepted gaps included), the
// error is a *history.MissingError, and no backup is made: it could not be restored. Where the
// target has something else than the receipt says, the error wraps target.ErrConflict or
// target.ErrNotExist.
func Create(ctx context.Context, a *archive.Archive, o CreateOptions) (*archive.Backup, error) {
	if err := archive.CheckMeta(o.Meta); err != nil {
		return nil, err
	}
	receipts, err := receipt.Open(vfs.Dir(o.Receipts))
	if err != nil {
		return nil, err
	}
	st, err := o.newestState()
	if err != nil {
		return nil, err
	}
	if err := haveReceipts(a, &o, receipts, st); err != nil {
		return nil, err
	}
	prev, err := a.Previous(ctx, st.Store)
	if err != nil {
		return nil, err
	}
	b, err := describe(ctx, a, receipts, st, prev)
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
	// Only now, with the pin in place: see Archive.RefuseGone.
	if err := a.RefuseGone(ctx, b.Store, segment.SetOfRuns(b.Segments...), b.ID); err != nil {
		return nil, errors.Join(err, a.RemoveBackup(ctx, b.Store, b.ID))
	}
	return b, nil
}

// Unshipped returns the segments that a backup made now would need, and of which there is no
// receipt of the archive. The target is not asked.
func Unshipped(a *archive.Archive, o *CreateOptions) ([]segment.Ref, error) {
	if err := source.CheckOpens(o.Store); err != nil { // then nothing will come of it
		return nil, err
	}
	st, err := o.newestState()
	if err != nil {
		return nil, err
	}
	receipts, err := receipt.Open(vfs.Dir(o.Receipts))
	if err == nil {
		err = haveReceipts(a, o, receipts, st)
	}
	if missing, ok := errors.AsType[*history.MissingError](err); ok {
		return missing.Missing, nil
	}
	return nil, err
}

// newestState reads the header of the newest sealed log, and its edits. Which log that is may be
// known from notes beside the receipts, or from the archiver that has just shipped.
func (o *CreateOptions) newestState() (st *source.State, err error) {
	src := source.New(o.Store)
	if o.After != nil {
		st, err = src.NewestOf(o.After.Listing)
	} else {
		src.Recall(vfs.AsFS(vfs.Dir(o.Receipts)))
		st, err = src.NewestState()
	}
	if errors.Is(err, source.ErrOtherSegment) || o.After != nil && errors.Is(err, fs.ErrNotExist) { // what was known is out of date
		return source.New(o.Store).NewestState()
	}
	return st, err
}

// haveReceipts returns a *history.MissingError if a segment of the state has no receipt.
func haveReceipts(a *archive.Archive, o *CreateOptions, receipts *receipt.Folder, st *source.State) (err error) {
	var refs []segment.Ref
	if o.After != nil && o.After.Target == a.Identity().ID {
		refs = o.After.Refs
	} else {
		refs, err = receipts.Refs(a.Identity().ID)
	}
	if err != nil {
		return err
	}
	if missing := st.Set.Minus(segment.SetOf(refs...)); missing.Len() > 0 {
		return &history.MissingError{Where: a.Target().URL(), Store: st.Store,
			Missing: slices.Collect(missing.All())}
	}
	return nil
}

// describe writes the manifest of a state, without id and time.
func describe(ctx context.Context, a *archive.Archive, receipts *receipt.Folder, st *source.State, prev *archive.Backup) (*archive.Backup, error) {
	had := segment.SetOfRuns(prev.Segments...)
	fresh, lost := st.Set.Minus(had), had.Minus(st.Set)
	b := &archive.Backup{Store: st.Store, Tip: st.Tip, Objects: prev.Objects, Bytes: prev.Bytes, Segments: st.Set.Runs()}
	total := parseDigest(prev.Digest)
	for ref := range lost.All() {
		r, ok, err := receipts.Get(a.Identity().ID, ref)
		if err != nil {
			return nil, err
		}
		if !ok { // prev relies on a segment that has no receipt here: count everything anew
			return describe(ctx, a, receipts, st, &archive.Backup{})
		}
		b.Objects, b.Bytes = b.Objects-int64(r.Puts), b.Bytes-r.Size
		total.remove(term(ref, r.Size, r.SHA256))
	}
	added := make([]receipt.Receipt, 0, fresh.Len())
	for ref := range fresh.All() {
		r, ok, err := receipts.Get(a.Identity().ID, ref)
		if err == nil && !ok {
			err = &history.MissingError{Where: a.Target().URL(), Store: st.Store, Missing: []segment.Ref{ref}}
		}
		if err != nil {
			return nil, err
		}
		added = append(added, r)
		b.Objects, b.Bytes, b.OwnBytes = b.Objects+int64(r.Puts), b.Bytes+r.Size, b.OwnBytes+r.Size
		total.add(term(ref, r.Size, r.SHA256))
	}
	b.Digest = total.sum()
	tip, ok, err := receipts.Get(a.Identity().ID, st.Tip)
	if err != nil || !ok {
		return nil, cmp.Or(err, error(&history.MissingError{Where: a.Target().URL(), Store: st.Store, Missing: []segment.Ref{st.Tip}}))
	}
	b.Seq, b.LogTime = tip.LastSeq, tip.LastTime
	return b, askFor(ctx, a, added)
}

// allThere lists the archive, and returns a *history.MissingError for segments of a backup that it lacks.
func allThere(ctx context.Context, a *archive.Archive, b *archive.Backup) error {
	all, err := a.AllContents(ctx, b.Store, a.Cuts(b))
	if err != nil {
		return err
	}
	var there []segment.Ref
	for _, c := range all {
		for _, x := range c.Segments {
			there = append(there, x.Ref)
		}
	}
	if missing := segment.SetOfRuns(b.Segments...).Minus(segment.SetOf(there...)); missing.Len() > 0 {
		return &history.MissingError{Where: a.Target().URL(), Store: b.Store, Missing: slices.Collect(missing.All())}
	}
	return nil
}

// askFor compares receipts with what the target says of the objects without reading
// them.
func askFor(ctx context.Context, a *archive.Archive, receipts []receipt.Receipt) error {
	return parallel.Each(ctx, archive.ManifestParallel, len(receipts), func(ctx context.Context, i int) error {
		r := &receipts[i]
		info, err := a.Target().Stat(ctx, r.Object)
		if errors.Is(err, target.ErrNotExist) {
			return fmt.Errorf("%s: there is a receipt for it: %w; %s", a.At(r.Object), err, archive.PutBack)
		}
		if err != nil {
			return err
		}
		if info.Size != r.Size || info.SHA256 != [32]byte{} && segment.Digest(info.SHA256) != r.SHA256 {
			return fmt.Errorf("%s: %w: it has %d bytes, SHA-256 %v (zero: unknown); the receipt says %d bytes, %v; %s",
				a.At(r.Object), target.ErrConflict, info.Size, segment.Digest(info.SHA256), r.Size, r.SHA256, AuditIt)
		}
		return nil
	})
}
