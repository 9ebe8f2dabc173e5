package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"syscall"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/segment"
)

// fill makes the folder of the copy, with everything in it on the disk.
func (c *hotCopy) fill(ctx context.Context) error {
	st, cut, err := c.resolve(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	c.describe(st, cut)
	if err := c.root.Mkdir(c.to); err != nil {
		return err
	}
	for _, p := range st.Parts {
		if err := c.part(ctx, p); err != nil {
			return err
		}
	}
	if err := c.newest(ctx, st, cut); err != nil {
		return err
	}
	return c.root.SyncDir(c.to) // the names, before the folder gets its own
}

// describe fills in what the copy will be.
func (c *hotCopy) describe(st storeState, cut cut) {
	c.rep.UUID, c.rep.Timeline = st.UUID, st.Newest.Header.Ref.Timeline
	c.rep.LastSeq, c.rep.Time = cut.seq, time.Unix(0, cut.time).UTC()
	for _, p := range st.Parts {
		c.rep.Bytes += p.Footer.FileSize
	}
	c.rep.Segments = len(st.Parts)
	if st.V.Successor == (segment.Ref{}) {
		c.rep.Segments++
		c.rep.Bytes += cut.end
	}
	if st.Lost {
		c.rep.Notes = append(c.rep.Notes, st.Why+", and is so in the copy: an open for writing refuses it, unless the loss is accepted")
	}
	c.step.Of, c.step.Total = c.rep.Segments, c.rep.Bytes
	c.did("list", "", 0)
}

// cut is where a copy ends in the newest log.
type cut struct {
	end  int64  // after the last whole batch that is known to be on the disk
	seq  uint64 // of the newest change before that
	time int64  // of the newest commit

	// due is where the last batch with a change ends that is in the file; not
	// beyond end if there is nothing else to wait for.
	due int64
}

// copyPatience is how long a copy waits until what was written before it began is
// known to be on the disk. An idle writer says so within 50 ms of its sync.
const copyPatience = 2 * time.Second

// resolve finds out how the store stands, at a moment when all that was in it at the
// first look is known to be on the disk. If a caller was told before the call that
// an object is on the disk, the copy has the object.
func (c *hotCopy) resolve(ctx context.Context) (storeState, cut, error) {
	var log segment.Ref
	var due int64
	for began := time.Now(); ; {
		st, live, err := c.look()
		if err != nil {
			return storeState{}, cut{}, err
		}
		at, err := whereToCut(st)
		if err != nil {
			return storeState{}, cut{}, errors.Join(err, st.Close())
		}
		if log == (segment.Ref{}) {
			log, due = st.Newest.Header.Ref, at.due
		}
		late := live && (st.Lost || st.Newest.Header.Ref == log && at.end < due)
		if late && time.Since(began) > copyPatience {
			c.rep.Notes = append(c.rep.Notes, "the writer does not say that all it wrote before is on the disk; the copy ends before that")
			late = false
		}
		if !late {
			c.rep.Live = live
			return st, at, nil
		}
		st.Close()
		select {
		case <-ctx.Done():
			return storeState{}, cut{}, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// look surveys the store once.
func (c *hotCopy) look() (st storeState, live bool, err error) {
	opt, err := (&Options{Integrity: integrity.Log}).resolved()
	if err != nil {
		return st, false, err
	}
	err = integrity.WhileWritten(c.src, func(writer bool) error {
		if st.State != nil {
			st.Close()
		}
		st, live = storeState{}, writer
		s, err := integrity.Survey(c.src)
		if err != nil {
			return err
		}
		st, err = resolveState(s, &opt, writer)
		return err
	})
	if err != nil && st.State != nil {
		st.Close()
	}
	return st, live, receipt.WhoHas(c.src, err)
}

// whereToCut finds the last whole batch in the part of the newest log that counts.
func whereToCut(st storeState) (cut, error) {
	at := cut{end: st.R.HeaderSize, seq: st.Newest.Header.FirstSeq - 1}
	for _, p := range st.Parts {
		at.time = max(at.time, p.Footer.LastTime)
	}
	seq, data := at.seq, false
	for rec, err := range st.R.Records(segment.Span{}) {
		if segment.IsCorrupt(err) {
			break // a torn tail, or what is being written
		}
		if err != nil {
			return at, segment.InFile(st.FS.Path(st.Newest.Name), err)
		}
		if rec.Kind.Data() {
			seq, data = rec.Seq, true
		}
		end := rec.Offset + rec.Size
		if rec.Commit() && end <= st.V.End {
			at.end, at.seq, at.time = end, seq, rec.Time
		}
		if rec.Commit() && (data || rec.Kind == segment.Edit || rec.Kind == segment.End) {
			at.due, data = end, false
		}
	}
	return at, nil
}

// part brings a segment of which nothing changes any more into the copy.
func (c *hotCopy) part(ctx context.Context, p *integrity.Part) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	c.step.N++
	size := p.Footer.FileSize
	if p.Sealed && !c.o.Copy {
		linked, err := c.link(p.Name)
		if err != nil {
			return err
		}
		if linked {
			c.rep.Linked++
			c.did("link", p.Name, size)
			return nil
		}
	}
	// A log whose seal is not done has its footer in memory: the very same one.
	src := io.Reader(io.NewSectionReader(p.Src, 0, size))
	if p.Bytes != nil {
		src = io.MultiReader(io.NewSectionReader(p.Src, 0, p.Footer.RecordsEnd), bytes.NewReader(p.Bytes))
	}
	name := sealName(p.Header.Ref.ID)
	if p.Sealed {
		name = p.Name
	}
	n, sum, err := c.write(ctx, name, src, p.Footer.Digested(), sealMode)
	if err == nil && (n != size || sum != p.Footer.SHA256) {
		err = &CorruptError{File: fileOf(p).path, Segment: p.Header.Ref, Reason: "other bytes than were sealed; nothing was copied",
			Next: integrity.CheckStore}
	}
	if err != nil {
		return err
	}
	c.rep.Copied += size
	c.did("copy", name, size)
	return nil
}

// link makes a segment file a file of the copy, too. It reports false where it has
// to be copied: on another file system, without hard links, or as the file went
// away with a change of the set since.
func (c *hotCopy) link(name string) (bool, error) {
	to := path.Join(c.to, name)
	err := c.root.Link(path.Join(c.from, name), to)
	if errors.Is(err, syscall.EXDEV) || errors.Is(err, errors.ErrUnsupported) {
		c.o.Copy = true // and the same goes for the others
		return false, nil
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EMLINK) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	f, err := c.root.Open(to)
	if err != nil {
		return false, err
	}
	// Sealed by a store it is on the disk. Brought here by cp it may not be.
	return true, errors.Join(f.Sync(), f.Close())
}

// newest brings the newest log into the copy, up to the cut. A log that was ended
// already is among the parts; then there is its successor, without a byte yet.
func (c *hotCopy) newest(ctx context.Context, st storeState, at cut) error {
	ref := st.Newest.Header.Ref
	src := io.Reader(io.NewSectionReader(st.Src, 0, at.end))
	if next := st.V.Successor; next != (segment.Ref{}) {
		if st.Lost {
			return nil
		}
		ref, src = next, bytes.NewReader(nil)
		_, _, err := c.write(ctx, logName(ref.ID), src, 0, 0)
		return err
	}
	c.step.N++
	n, _, err := c.write(ctx, logName(ref.ID), src, 0, 0)
	if err == nil && n != at.end {
		err = fmt.Errorf("%s: %w", st.FS.Path(st.Newest.Name), io.ErrUnexpectedEOF)
	}
	if err != nil {
		return err
	}
	c.rep.Copied += n
	c.did("log", logName(ref.ID), n)
	return nil
}

// write makes a file of the copy, on the disk, and returns how long it is and the
// SHA-256 of its first digested bytes. Mode zero leaves the file writable.
func (c *hotCopy) write(ctx context.Context, name string, src io.Reader, digested int64, mode fs.FileMode) (n int64, sum [32]byte, err error) {
	f, err := c.root.Create(path.Join(c.to, name))
	if err != nil {
		return 0, sum, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		if err := context.Cause(ctx); err != nil {
			return n, sum, err
		}
		m, err := io.ReadFull(src, buf)
		if m > 0 {
			if _, err := f.WriteAt(buf[:m], n); err != nil {
				return n, sum, err
			}
			h.Write(buf[:max(0, min(int64(m), digested-n))])
			f.WriteBack(n, int64(m))
			n += int64(m)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return n, sum, err
		}
	}
	if mode != 0 {
		if err := f.Chmod(mode); err != nil {
			return n, sum, err
		}
	}
	return n, [32]byte(h.Sum(nil)), f.Sync() // before its name is made durable
}
