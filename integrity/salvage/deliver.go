package salvage

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
)

func (w *salvager) note(file, format string, args ...any) {
	w.out.Notes = append(w.out.Notes, integrity.Note{File: file, Text: fmt.Sprintf(format, args...)})
}

// deliver reads the newest version of each key and hands it out.
func (w *salvager) deliver(stale uint64) (err error) {
	list := slices.DeleteFunc(w.list, func(v version) bool { return v.state != saved })
	w.versions = nil
	slices.SortFunc(list, func(a, b version) int { return cmp.Compare(a.seq, b.seq) })
	open := map[int32]*segmentFile{}
	var closing error
	closeAll := func() {
		for _, h := range open {
			closing = errors.Join(closing, h.Close())
		}
		clear(open)
	}
	defer func() {
		closeAll()
		err = errors.Join(err, closing)
	}()
	for _, v := range list {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		h := open[v.file]
		if h == nil {
			const most = 64 // files open at once
			if len(open) == most {
				closeAll()
			}
			e := w.walked[v.file]
			var openErr error
			if h, openErr = w.open(e, e.Header); vfs.IsTooManyFiles(openErr) {
				closeAll()
				h, openErr = w.open(e, e.Header)
			}
			if vfs.IsTooManyFiles(openErr) { // which is no damage
				return vfs.TooManyFiles(openErr)
			}
			if openErr != nil {
				w.unread(e, v, openErr)
				continue
			}
			open[v.file] = h
		}
		rec, err := h.r.RecordAt(v.off, v.off+v.size)
		if err != nil {
			w.unread(w.walked[v.file], v, err)
			continue
		}
		x := Object{Object: rec.Object(), Slots: rec.Slots, Expiry: rec.Expiry, MayBeStale: v.seq < stale}
		w.out.Objects++
		w.out.Bytes += int64(len(x.Value))
		if x.MayBeStale {
			w.out.MayBeStale++
		}
		if w.o.Object == nil {
			continue
		}
		if err := w.o.Object(x); err != nil {
			return err
		}
	}
	return nil
}

// unread lists a version that could be read before and cannot now.
func (w *salvager) unread(e *integrity.Entry, v version, err error) {
	l := Loss{Kind: LostPut, File: e.Name, Offset: v.off, Bytes: v.size, FirstSeq: v.seq, LastSeq: v.seq, Newest: true,
		Reason: "it could be read at first: " + err.Error()}
	if e.Header != nil {
		l.Segment = e.Header.Ref
	}
	w.out.LostNumbers++
	w.out.Numbers--
	w.out.LostObjects++
	w.out.Lost = append(w.out.Lost, l)
}
