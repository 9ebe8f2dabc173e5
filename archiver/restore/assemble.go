package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// A restore works in steps. Each is on the disk before the next begins. First, missing segments
// are fetched into temporary files and verified. Then these files get their names, and the last
// log is put in place, which turns the segments into the store. Where there is no store yet, the
// last log comes before the names (see build); where there is one, it comes after them (see
// freshen).

// fetch brings every segment of the plan into the folder, verified, under its name or a
// temporary one. Unless the last log is there, it also fetches the beginning of the log that
// is cut.
func (r *restorer) fetch(ctx context.Context, last bool) error {
	cut := r.toFetch(last)
	var fetched atomic.Int64
	r.ready = make([]ready, len(r.plan.Segments))
	err := parallel.Each(ctx, r.o.Parallel, len(r.plan.Segments), func(ctx context.Context, i int) error {
		x := r.plan.Segments[i]
		s, at, err := r.have(ctx, x)
		if err == nil && at != nil {
			r.get.track.add(x.Size)
		} else if err == nil {
			s, err = r.get.segment(ctx, x)
			fetched.Add(x.Size)
		}
		if err != nil {
			return err
		}
		r.ready[i] = ready{s.Ref, s.Kind, at != nil && at.Sealed}
		r.get.track.finish(i, s.Summary)
		return nil
	})
	if err == nil && cut != nil {
		err = r.fetchCut(ctx, cut)
		fetched.Add(cut.Offset)
	}
	r.rep.Fetched = fetched.Load()
	return err
}

// ready is a segment of the plan that is in the folder, verified.
type ready struct {
	ref    segment.Ref
	kind   segment.Kind
	placed bool // under its own name; else under the temporary one
}

// toFetch returns the log of which the beginning is needed, or nil; last says that the last
// log is there.
func (r *restorer) toFetch(last bool) *history.CutLog {
	if cut := r.plan.Cut; !last && cut != nil && cut.Offset > 0 {
		return cut
	}
	return nil
}

// enoughRoom compares what is missing with what is free, before anything is written.
func (r *restorer) enoughRoom(last bool) error {
	need := int64(1 << 20) // names, headers
	for _, x := range r.plan.Segments {
		if r.sized(x) == nil {
			need += x.Size
		}
	}
	if cut := r.toFetch(last); cut != nil {
		need += 2 * cut.Offset // the fetched copy, and the one that is written anew
	}
	free, err := r.fsys.Free()
	if err == nil && free < need {
		return fmt.Errorf("%s: %w: %d bytes are needed, %d are free", r.fsys.Path("."), ErrNoRoom, need, free)
	}
	return nil // where free space is unknown, the write reports a full disk
}

// sized returns the file that may be a segment of the plan, by header, size and mode: a
// temporary file is whole if its mode forbids writing.
func (r *restorer) sized(x archive.Stored) *integrity.Entry {
	if f := r.dir.sealed(x.Ref); f != nil && f.Size == x.Size {
		return f
	}
	f := r.dir.tmps[segment.FileName(x.Ref.ID, segment.TempExt)]
	if f == nil || f.Header == nil || f.Header.UUID != r.plan.Store || f.Header.Ref != x.Ref || f.Size != x.Size {
		return nil
	}
	if info, err := r.fsys.Stat(f.Name); err != nil || info.Mode().Perm() != 0o400 {
		return nil
	}
	return f
}

// have returns where in the folder a segment is, sound, or nil.
func (r *restorer) have(ctx context.Context, x archive.Stored) (s *sealed.Segment, at *integrity.Entry, err error) {
	at = r.sized(x)
	if at == nil {
		return nil, nil, nil
	}
	file, err := r.fsys.Open(at.Name)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	if r.o.Quick && at.Sealed {
		s, err = glance(file, at)
	} else {
		s, err = r.get.isSegment(ctx, file, x)
	}
	if _, bad := errors.AsType[*segment.CorruptError](err); bad {
		return nil, nil, nil // it is fetched
	}
	return s, at, err
}

// glance checks only the header and the footer of a segment.
func glance(f vfs.File, x *integrity.Entry) (*sealed.Segment, error) {
	r, foot, err := sealed.Footed(f, x.Size)
	if err != nil {
		return nil, err
	}
	return sealed.Summarized(r, foot, [32]byte{}), nil
}

// fetchCut fetches the beginning of the log that is cut, and checks its records.
func (r *restorer) fetchCut(ctx context.Context, c *history.CutLog) error {
	name := archive.SegmentName(r.plan.Store, c.Ref)
	within, cancel := target.WithTimeout(ctx, r.get.timeout.For(c.Offset))
	defer cancel()
	err := r.get.try(within, name, segment.FileName(c.Ref.ID, segment.TempExt), c.Offset, func(f vfs.File, _ *sealed.Digests) error {
		last := c.FirstSeq - 1
		for rec, err := range segment.DataRecords(f, c.Offset) {
			if err != nil {
				return r.a.Damaged(err, name, c.Ref)
			}
			last = rec.Seq
		}
		if last != r.plan.Seq {
			return r.a.Damaged(&segment.CorruptError{Offset: c.Offset,
				Reason: fmt.Sprintf("the records end with sequence number %d where the table has %d", last, r.plan.Seq)}, name, c.Ref)
		}
		return nil
	})
	return r.a.Vanished(err, r.plan.Store, c.Ref)
}

// place gives the fetched segments their names: outputs first, so that no log
// that adopted one is there without it.
func (r *restorer) place() error {
	todo := slices.DeleteFunc(slices.Clone(r.ready), func(x ready) bool { return x.placed })
	if len(todo) == 0 {
		return nil
	}
	slices.SortFunc(todo, func(a, b ready) int {
		return cmp.Or(cmp.Compare(b.kind, a.kind), a.ref.Compare(b.ref))
	})
	taken := map[string]*segment.Head{}
	for _, x := range slices.Concat(r.dir.Own, r.dir.Alien) {
		taken[x.Name] = x.Header
	}
	for _, x := range todo {
		to := segment.FileName(x.ref.ID, segment.SealedExt)
		if o := taken[to]; o != nil && (o.UUID != r.plan.Store || o.Ref != x.ref) {
			return fmt.Errorf("%s: is segment %v of store %v, in the place of %v; move it away", r.fsys.Path(to), o.Ref, o.UUID, x.ref)
		}
		if err := r.fsys.Rename(segment.FileName(x.ref.ID, segment.TempExt), to); err != nil {
			return err
		}
		delete(r.dir.tmps, segment.FileName(x.ref.ID, segment.TempExt))
	}
	return r.fsys.SyncDir(".") // the names, before a log is put in place that needs them, or the restore is said to be done
}

// putLast writes the log that the store goes on with. Its id is at least least,
// and it knows of the retired segments that are still in the folder.
func (r *restorer) putLast(least segment.ID, retired segment.Set) error {
	p := r.plan
	h := &segment.Header{
		Head: segment.Head{Kind: segment.Log, UUID: p.Store, FirstSeq: p.Seq + 1, Time: segment.NextTime(segment.Nanos(p.Time), time.Now()),
			Parent: p.Last, ParentSeq: p.Seq}, Live: r.set, Retired: retired,
	}
	recs := none
	if p.Cut != nil {
		h.FirstSeq, h.Replaced = p.Cut.FirstSeq, p.Cut.Ref
		if p.Cut.Offset > 0 {
			f, err := r.fsys.Open(segment.FileName(p.Cut.Ref.ID, segment.TempExt))
			if err != nil {
				return err
			}
			defer f.Close()
			recs = segment.DataRecords(f, p.Cut.Offset)
		}
	} else {
		next, last, err := r.successor()
		if err != nil {
			return err
		}
		h.Replaced, h.Time = next, max(h.Time, last+1)
		least = max(least, next.ID+1)
	}
	h.Ref = segment.Ref{Timeline: segment.NewTimeline(), ID: max(p.NextID, least, r.dir.maxID+1)}
	h.NextID = h.Ref.ID + 1
	if err := r.fsys.SyncOwnName(); err != nil { // the folder's name, before a log says that a store is in it
		return err
	}
	if err := putLog(r.fsys, h, recs); err != nil {
		return noRoom(err)
	}
	r.rep.Timeline = h.Ref.Timeline
	if p.Cut == nil || p.Cut.Offset == 0 {
		return nil
	}
	if err := vfs.IgnoreAbsent(r.fsys.Remove(segment.FileName(p.Cut.Ref.ID, segment.TempExt))); err != nil {
		return err
	}
	return r.fsys.SyncDir(".")
}

// none yields no records.
func none(func(*segment.Record, error) bool) {}

var _ iter.Seq2[*segment.Record, error] = none

// successor returns the log that the plan's last log names as the next one, which
// the new log stands for, and the last commit time.
func (r *restorer) successor() (segment.Ref, int64, error) {
	name := segment.FileName(r.plan.Last.ID, segment.SealedExt)
	if x := r.dir.sealed(r.plan.Last); x != nil {
		name = x.Name
	}
	f, err := r.fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) { // it gets its name after the log
		f, err = r.fsys.Open(segment.FileName(r.plan.Last.ID, segment.TempExt))
	}
	if err != nil {
		return segment.Ref{}, 0, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return segment.Ref{}, 0, err
	}
	rd, err := segment.NewReader(f, size)
	if err != nil {
		return segment.Ref{}, 0, segment.InFile(name, err)
	}
	foot, err := rd.OpenFooter()
	if err != nil {
		return segment.Ref{}, 0, segment.InFile(name, err)
	}
	end, err := rd.RecordAt(foot.RecordsEnd-segment.EndSize, foot.RecordsEnd)
	if err == nil && end.Kind != segment.End {
		err = &segment.CorruptError{Segment: rd.Header.Ref, Offset: end.Offset, Reason: "a sealed log without an end record"}
	}
	if err != nil {
		return segment.Ref{}, 0, segment.InFile(name, err)
	}
	return end.Successor(), foot.LastTime, nil
}
