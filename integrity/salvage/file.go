package salvage

import (
	"errors"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/internal/walk"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// segmentFile is a segment file that is open to be looked through.
type segmentFile struct {
	integrity.Source
	src    *walk.ReadAround
	r      *segment.Reader
	footer *segment.Footer // nil: none that is sound
	end    int64           // where the records end, at most
}

// open opens a file whose header is known, from the file or from elsewhere.
func (w *salvager) open(e *integrity.Entry, hdr *segment.Head) (*segmentFile, error) {
	f, err := w.fs.Open(e.Name)
	if err != nil {
		return nil, err
	}
	if e.Size == 0 {
		e.Size, _ = f.Size() // it could not be asked for with the header
	}
	h := &segmentFile{Source: f, src: &walk.ReadAround{Ctx: w.ctx, Src: f}, end: e.Size}
	h.r = segment.ReaderFor(hdr, h.src, e.Size)
	h.r.HeaderSize = min(e.Size, max(e.HeaderSize, segment.MinHeader))
	if h.footer, err = h.r.OpenFooter(); err == nil {
		h.end = h.footer.RecordsEnd
	} else {
		h.footer = nil
	}
	return h, nil
}

// file looks through one file. The newest log counts up to its last whole batch, or as far as it
// says that it was on the disk.
func (w *salvager) file(e *integrity.Entry, hdr *segment.Head, newest bool) error {
	h, err := w.open(e, hdr)
	if vfs.IsTooManyFiles(err) { // which is no damage
		return vfs.TooManyFiles(err)
	}
	if err != nil {
		w.whole(e, hdr.Ref, err.Error())
		return w.ctx.Err()
	}
	defer h.Close()
	log := hdr.Kind == segment.Log
	if log && !w.begun[hdr.Ref] { // else it is another file of the same segment
		w.resume(hdr.FirstSeq)
	}
	after := uint64(0)
	if newest && log {
		if h.end, after, err = w.committed(h); err != nil {
			return err
		}
		if h.end < e.Size && h.footer == nil {
			w.note(e.Name, "what stands behind offset %d was not acknowledged, and does not count", h.end)
		}
	}
	s := &scan{salvager: w, segmentFile: h, e: e, ref: hdr.Ref, file: int32(len(w.walked)), after: after}
	w.walked = append(w.walked, &integrity.Entry{Name: e.Name, ID: e.ID, Sealed: e.Sealed, Size: e.Size, Header: hdr})
	w.begun[hdr.Ref] = true
	if err := s.run(newest); err != nil {
		return err
	}
	if w.o.Progress != nil {
		w.o.Progress(e.Size)
	}
	return w.ctx.Err()
}

// committed returns how much of the newest log counts, and the number of the first sound
// record behind that, or zero.
func (w *salvager) committed(h *segmentFile) (end int64, after uint64, err error) {
	end = h.r.HeaderSize
	walk := &walk.Walk{R: h.r, Src: h.src, To: h.end, Rec: func(rec *segment.Record) error {
		if rec.Vouches() && rec.Vouch > end {
			end, after = rec.Vouch, 0
		}
		if after == 0 {
			after = rec.Seq
		}
		if rec.Commit() {
			end, after = max(end, rec.Offset+rec.Size), 0
		}
		return w.ctx.Err()
	}}
	err = walk.Run()
	return min(end, h.end), after, err
}

// headerless looks through a file of the set whose header is lost. Its records are tied to the
// segment by their checksums. For an output the numbers would not be known.
func (w *salvager) headerless(e *integrity.Entry, ref segment.Ref, newest bool) error {
	if errors.Is(e.Err, segment.ErrVersion) {
		w.whole(e, ref, "not read")
		return nil
	}
	f, err := w.fs.Open(e.Name)
	if vfs.IsTooManyFiles(err) { // which is no damage
		return vfs.TooManyFiles(err)
	}
	if err != nil {
		w.whole(e, ref, "not read")
		return w.ctx.Err()
	}
	if e.Size == 0 {
		e.Size, _ = f.Size()
	}
	hdr := &segment.Head{Kind: segment.Log, UUID: w.out.UUID, Ref: ref, FirstSeq: w.due}
	known := ref == w.follow || ref.ID == 1 // the first of the store
	sum, err := segment.ReaderFor(hdr, &walk.ReadAround{Ctx: w.ctx, Src: f}, e.Size).Trailer()
	f.Close()
	switch {
	case err == nil && sum.Others > 0: // an output has none
		hdr.FirstSeq = sum.FirstSeq
	case err == nil, !known:
		w.whole(e, ref, "nothing says which numbers it begins with")
		return w.ctx.Err()
	}
	if hdr.FirstSeq == 0 || hdr.FirstSeq > maxSeq {
		w.whole(e, ref, "its numbers cannot be")
		return w.ctx.Err()
	}
	before := len(w.losses)
	if err := w.file(e, hdr, newest); err != nil {
		return err
	}
	if len(w.losses) == before { // nothing but the header
		w.losses = append(w.losses, Loss{Kind: LostControl, Segment: ref, File: e.Name, Bytes: min(e.Size, segment.MinHeader), Reason: "the header of the log"})
	}
	return nil
}
