package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/segment"
)

// place is where a point lies in a lineage: after the last commit that counts,
// in the log links[at].
type place struct {
	at   int
	log  archive.Stored
	hdr  *segment.Header
	seq  uint64    // the last number that counts; what comes after it in the log does not
	end  int64     // offset after its record; zero: all of the log's puts and deletes count
	time time.Time // when that was committed; of a whole log, the last time that it knows of
}

// whole reports whether all of the log counts.
func (p *place) whole() bool { return p.end == 0 }

// bySeq finds a point by sequence number.
func (l *lineage) bySeq(ctx context.Context, p Point) (*place, error) {
	if err := l.within(ctx, p); err != nil {
		return nil, err
	}
	i, _, err := l.logs().Search(ctx, 0, len(l.links), func(_ int, h *segment.Header) (bool, error) { return h.FirstSeq <= p.Seq, nil })
	if err != nil {
		return nil, err
	}
	f, err := l.Footer(ctx, l.links[i].Stored)
	if err != nil {
		return nil, err
	}
	if last := min(f.LastSeq, l.links[i].limit); p.Seq > last {
		return nil, l.gap(ctx, p, i, f)
	} else if p.Seq == f.LastSeq {
		return l.wholeLog(ctx, i, f)
	}
	return l.cut(ctx, i, f, p.Seq, math.MaxInt64)
}

// byTime finds a point by commit time.
func (l *lineage) byTime(ctx context.Context, p Point) (*place, error) {
	if err := l.within(ctx, p); err != nil {
		return nil, err
	}
	t := segment.Nanos(p.moment())
	var f *segment.Footer
	i, _, err := l.logs().Search(ctx, 0, len(l.links), func(i int, _ *segment.Header) (bool, error) {
		g, err := l.Footer(ctx, l.links[i].Stored)
		if err != nil || g.FirstTime > t {
			return false, err
		}
		f = g // the last one for which it holds is the greatest
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	if t < f.LastTime || l.links[i].limit < f.LastSeq {
		return l.cut(ctx, i, f, l.links[i].limit, t)
	}
	if n, h, err := l.logs().First(ctx, i+1); err != nil {
		return nil, err
	} else if n >= 0 && h.FirstSeq != f.LastSeq+1 && t > f.LastTime {
		return nil, l.gap(ctx, p, i, f)
	}
	return l.wholeLog(ctx, i, f)
}

// within makes sure that a point lies between the oldest and the newest state.
func (l *lineage) within(ctx context.Context, p Point) error {
	i, _, err := l.logs().Last(ctx, 0, len(l.links))
	if err != nil {
		return err
	}
	newest, err := l.Footer(ctx, l.links[i].Stored)
	if err != nil {
		return err
	}
	e := &PointError{Where: l.A.Target().URL(), Store: l.Store, Timeline: l.links[len(l.links)-1].Ref.Timeline, Point: p}
	t := p.moment()
	if p.Seq > newest.LastSeq || !t.IsZero() && t.After(time.Unix(0, newest.LastTime)) {
		if lost := l.beyond(l.Branches[e.Timeline]); len(lost) > 0 {
			hole := l.hole(p, lost)
			hole.Between[0] = l.links[i].Ref
			return hole
		}
		e.Later, e.Seq, e.Time = true, newest.LastSeq, time.Unix(0, newest.LastTime).UTC()
		return e
	}
	i, h, err := l.logs().First(ctx, 0)
	if err != nil {
		return err
	}
	oldest, err := l.Footer(ctx, l.links[i].Stored)
	if err != nil {
		return err
	}
	if p.Seq != 0 && p.Seq < oldest.FirstSeq || !t.IsZero() && t.Before(time.Unix(0, oldest.FirstTime)) {
		if lost := slices.DeleteFunc(l.lacking(slices.Collect(h.Live.All())), l.pruned); len(lost) > 0 {
			return l.hole(p, lost)
		}
		e.Seq, e.Time = oldest.FirstSeq, time.Unix(0, oldest.FirstTime).UTC()
		return e
	}
	return nil
}

// gap is the error for a point in the log that should follow links[i], and is not there.
func (l *lineage) gap(ctx context.Context, p Point, i int, f *segment.Footer) error {
	e := l.hole(p, nil)
	n, h, err := l.logs().First(ctx, i+1)
	if err != nil {
		return err
	}
	e.Between[0] = l.links[i].Ref
	if n < 0 {
		return e
	}
	e.Between[1] = l.links[n].Ref
	for ref := range h.Live.All() {
		if _, there := l.stored(ref); !there && ref.ID > l.links[i].Ref.ID {
			e.Missing = append(e.Missing, ref)
		}
	}
	l.blame(e)
	return e
}

// wholeLog is the place after the last record of a log.
func (l *lineage) wholeLog(ctx context.Context, i int, f *segment.Footer) (*place, error) {
	h, err := l.Header(ctx, l.links[i].Ref)
	if err != nil {
		return nil, err
	}
	return &place{at: i, log: l.links[i].Stored, hdr: h, seq: f.LastSeq, time: time.Unix(0, f.LastTime).UTC()}, nil
}

// commit is the last record of a batch, by its entry in the table.
type commit struct {
	seq       uint64
	off, size int64
}

// cut finds the last commit in a log whose number is at most seq and whose time is at most t.
// It reads the log's table and a few heads of its records.
func (l *lineage) cut(ctx context.Context, i int, f *segment.Footer, seq uint64, t int64) (*place, error) {
	x := l.links[i].Stored
	h, err := l.Header(ctx, x.Ref)
	if err != nil {
		return nil, err
	}
	commits, err := l.commits(f, x, seq, t != math.MaxInt64)
	if err != nil {
		return nil, err
	}
	src := l.A.Object(ctx, archive.SegmentName(l.Store, x.Ref), x.Size)
	n := len(commits)
	if t != math.MaxInt64 {
		n = sort.Search(n, func(i int) bool {
			var at int64
			if err == nil {
				at, err = commitTime(src, h, commits[i])
			}
			return at > t
		})
	}
	p := &place{at: i, log: x, hdr: h, seq: h.FirstSeq - 1, end: -1, time: time.Unix(0, f.FirstTime).UTC()}
	if n > 0 && err == nil {
		c := commits[n-1]
		p.seq, p.end = c.seq, c.off+c.size
		var at int64
		at, err = commitTime(src, h, c)
		p.time = time.Unix(0, at).UTC()
	}
	if err != nil {
		return nil, l.A.Damaged(err, archive.SegmentName(l.Store, x.Ref), x.Ref)
	}
	if p.seq == f.LastSeq {
		p.end = 0
	}
	return p, nil
}

// commits returns the commits of a log up to a sequence number, in order: all of
// them, or the last one.
func (l *lineage) commits(f *segment.Footer, x archive.Stored, seq uint64, every bool) ([]commit, error) {
	var all []commit
	c := f.Cursor()
	for c.Next() {
		e := &c.Entry
		switch {
		case e.Flags&segment.FlagCommit == 0 || e.Seq > seq:
		case every || len(all) == 0:
			all = append(all, commit{e.Seq, e.Offset, e.Size})
		case e.Seq > all[0].seq:
			all[0] = commit{e.Seq, e.Offset, e.Size}
		}
	}
	slices.SortFunc(all, func(a, b commit) int { return cmp.Compare(a.seq, b.seq) })
	return all, l.A.Damaged(c.Err(), archive.SegmentName(l.Store, x.Ref), x.Ref)
}

// commitTime reads the head of a record that ends a batch.
func commitTime(src io.ReaderAt, h *segment.Header, c commit) (int64, error) {
	var rec segment.Record
	for n := min(c.size, 512); ; n = min(c.size, 1<<18) {
		b := make([]byte, n)
		if m, err := src.ReadAt(b, c.off); m < len(b) {
			return 0, cmp.Or(err, io.ErrUnexpectedEOF)
		}
		err := h.ChecksumSeed().ParseHead(b, c.off, &rec)
		if errors.Is(err, segment.ErrShort) && n < min(c.size, 1<<18) {
			continue
		}
		if err == nil && (rec.Seq != c.seq || !rec.Commit()) {
			err = &segment.CorruptError{Offset: c.off, Reason: fmt.Sprintf("a record of sequence number %d where the table has %d", rec.Seq, c.seq)}
		}
		return rec.Time, err
	}
}
