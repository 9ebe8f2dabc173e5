package restore

import (
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// A copy opens at every moment while it is freshened. If segments were put into the folder one
// after the other, each would be the newest log of the store for a while. So first a bridge is
// put in place: a log of a new timeline, with the highest id. It holds what the copy's newest
// log holds, and its live set leaves out the new segments. Then the new segments get their
// names. Last, the last log gets its name. This one rename makes the segments part of the store.

// complete reports whether the copy has all of its segments. Otherwise it does not
// open, and needs no bridge.
func (r *restorer) complete(old *copyState) bool {
	for ref := range old.live.All() {
		if r.dir.sealed(ref) == nil {
			return false
		}
	}
	return true
}

// bridge puts a log in place that holds what the copy's newest log holds, and knows
// of the segments to come.
func (r *restorer) bridge(old *copyState) (*integrity.Entry, error) {
	was := old.hdr
	h := &segment.Header{
		Head: segment.Head{Kind: segment.Log, UUID: was.UUID, FirstSeq: was.FirstSeq, Time: segment.NextTime(max(was.Time, old.v.LastTime), time.Now()),
			Parent: was.Ref, ParentSeq: old.seq, Replaced: was.Ref}, Live: old.live,
	}
	if r.plan.To(was.Ref.Timeline) == nil { // the archive does not know its timeline: the bridge has the same parent
		h.Parent, h.ParentSeq, h.Replaced = was.Parent, was.ParentSeq, was.Replaced
	}
	recs := none
	if old.ended() {
		h.FirstSeq, h.Replaced = old.seq+1, old.v.Successor
	} else {
		f, err := r.fsys.Open(old.log.Name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		recs = segment.DataRecords(f, old.v.End)
	}
	known := refsOf(r.dir.Own).Union(was.Retired)
	var coming []segment.Ref
	for _, x := range r.ready {
		coming = append(coming, x.ref)
	}
	h.Retired = known.With(coming...).Minus(old.live)
	id := max(r.plan.NextID, r.dir.maxID+1, was.NextID, old.v.Successor.ID+1)
	h.Ref = segment.Ref{Timeline: segment.NewTimeline(), ID: id}
	h.NextID = id + 1
	if err := putLog(r.fsys, h, recs); err != nil {
		return nil, noRoom(err)
	}
	return &integrity.Entry{Name: segment.FileName(id, segment.OpenExt), ID: id, Header: &h.Head}, nil
}
