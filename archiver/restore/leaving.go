package restore

import (
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// leaving returns the segments of the copy that the plan does not need: those of its
// set, those that left it before, and its newest log.
func (r *restorer) leaving(old *copyState) (gone []*integrity.Entry) {
	ours := old.live.Union(old.hdr.Retired).With(old.hdr.Ref, old.hdr.Replaced)
	for _, x := range r.dir.Own {
		if ours.Has(x.Header.Ref) && (!r.set.Has(x.Header.Ref) || !x.Sealed) {
			gone = append(gone, x)
		}
	}
	return gone
}

// retired returns the files of segments that have left the set of a copy that is at the point
// already: a restore that was cut off did not remove them.
func (r *restorer) retired(old *copyState) (gone []*integrity.Entry) {
	for _, x := range r.leaving(old) {
		if x != old.log {
			gone = append(gone, x)
		}
	}
	return append(gone, r.torn(old)...)
}

// torn returns logs without a header: the next log, reserved by the writer whose
// store was copied, or begun with a torn write.
func (r *restorer) torn(old *copyState) (gone []*integrity.Entry) {
	for _, x := range r.dir.headless() {
		if !x.Sealed && (x.Size == 0 || x.ID == old.v.Successor.ID) {
			gone = append(gone, x)
		}
	}
	for _, x := range r.dir.Alien { // its header is stale bytes, after a torn write
		if !x.Sealed && x.ID == old.v.Successor.ID {
			gone = append(gone, x)
		}
	}
	return gone
}

func refsOf(segs []*integrity.Entry) segment.Set {
	var refs []segment.Ref
	for _, x := range segs {
		refs = append(refs, x.Header.Ref)
	}
	return segment.SetOf(refs...)
}
