package store

import (
	"errors"
	"io/fs"

	"github.com/varve-db/varve/index"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// followed is a segFile for a log that grows: its map reaches beyond what it can
// become, so that its file handle can be closed when it is complete.
func followed(f vfs.File, h *segment.Head, path string) *segFile {
	sf := &segFile{ref: h.Ref, seed: h.ChecksumSeed(), path: path, first: h.FirstSeq}
	sf.last.Store(h.FirstSeq - 1)
	src := newSource(f, MaxSegmentSize+2*segment.MaxHeader, false)
	src.close = f.Close
	sf.src.Store(src)
	sf.pin()
	return sf
}

// follow reads on where the last Refresh stopped. It reports false if the index
// has to be built anew.
func (r *Reader) follow() (bool, error) {
	live, err := r.fs.Locked(segment.LockName)
	if err != nil {
		return false, err
	}
	for r.there(r.tip.hdr.Ref) {
		next, ok, err := r.extend(live)
		if err != nil || !ok || next == (segment.Ref{}) {
			return ok, err
		}
		if moved, err := r.move(next); err != nil || !moved {
			return false, err
		}
		if r.tip.hdr.Ref != next {
			return true, nil // it is not begun yet
		}
	}
	return false, nil
}

// extend puts what is new in the tip into the index, and returns the log that follows it, if
// it was ended. It reports false if the index has to be built anew.
func (r *Reader) extend(live bool) (next segment.Ref, ok bool, err error) {
	t := &r.tip
	if t.f == nil {
		return t.ended, live, nil
	}
	size, err := t.f.Size()
	if err != nil || !live {
		return next, err == nil && t.size == size, err // one that is longer has to be judged
	}
	next, edits, err := r.read(size)
	if err == nil && !edits {
		t.size = -1
	}
	return next, !edits, err
}

// there reports whether the log is still in the folder, under either name. A copy
// that was freshened may have a log of another timeline under its id.
func (r *Reader) there(ref segment.Ref) bool {
	for _, name := range []string{logName(ref.ID), sealName(ref.ID)} {
		if h, err := r.headerOf(name); err == nil && h.Ref == ref {
			return true
		}
	}
	return false
}

func (r *Reader) headerOf(name string) (*segment.Header, error) {
	f, err := r.fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	sr, err := segment.NewReader(f, size)
	if err != nil {
		return nil, err
	}
	return sr.Header, nil
}

// read puts the new durable records of the tip into the index. It returns the
// successor if the log was ended, and whether there is an edit, which this
// cannot follow.
func (r *Reader) read(size int64) (next segment.Ref, edits bool, err error) {
	t := &r.tip
	sr, err := segment.NewReader(t.f, size)
	if err != nil {
		return next, false, segment.InFile(t.sf.path, err)
	}
	from := segment.Span{From: t.off, Next: t.next}
	durable := t.off
	for rec, err := range sr.Records(from) {
		if err != nil {
			break // what is being written; the durable part is looked at below
		}
		if rec.Vouches() {
			durable = max(durable, rec.Vouch)
		}
		edits = edits || rec.Kind == segment.Edit
		if rec.Kind == segment.End {
			next = rec.Successor()
		}
	}
	if durable == t.off || edits {
		return next, edits, nil
	}
	t.sf.size.Store(durable)
	from.To = durable
	r.rw.Lock()
	defer r.rw.Unlock()
	for rec, err := range sr.Records(from) {
		if err != nil {
			return next, false, segment.InFile(t.sf.path, err)
		}
		t.off = rec.Offset + rec.Size
		if rec.Kind.Data() {
			c := change{key: rec.Key, loc: index.Loc{Slot: t.sf.slot, Offset: rec.Offset, Size: rec.Size}, kind: rec.Kind}
			r.apply(&c)
			t.sf.last.Store(rec.Seq)
			t.next = rec.Seq + 1
		}
	}
	return next, false, nil
}

// move goes on to the successor of the tip, if that has its header already. It
// reports false where there is no such file: a recovery put another log in its
// place, and the index has to be built anew.
func (r *Reader) move(next segment.Ref) (bool, error) {
	for _, name := range []string{logName(next.ID), sealName(next.ID)} {
		f, err := r.fs.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		size, err := f.Size()
		if err != nil {
			return false, errors.Join(err, f.Close())
		}
		sr, err := segment.NewReader(f, size)
		if err != nil || sr.Header.Ref != next {
			return true, f.Close()
		}
		r.releaseHandle()
		sf := followed(f, &sr.Header.Head, r.fs.Path(name))
		r.rw.Lock()
		r.view.add(sf)
		r.rw.Unlock()
		sf.unpin()
		r.tip = tip{sf: sf, hdr: &sr.Header.Head, f: f, off: sr.HeaderSize, next: sr.Header.FirstSeq, size: -1}
		return true, nil
	}
	return false, nil
}

// releaseHandle closes the file handle of a log that is complete, if it is mapped.
func (r *Reader) releaseHandle() {
	if r.tip.f == nil {
		return
	}
	src := r.tip.sf.src.Load()
	if src.data == nil {
		return
	}
	r.tip.sf.src.Store(&source{data: src.data, unmap: src.unmap})
	r.tip.f.Close()
}
