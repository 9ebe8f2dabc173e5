package archiver

import (
	"testing"

	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/segment"
)

// TestQueueForgetsWhatVanished lists segments, takes some, and lists half of them again: what
// is gone is counted and taken no more, what is being shipped is left to who ships it.
// No seed: nothing is drawn.
func TestQueueForgetsWhatVanished(t *testing.T) {
	var list []source.Sealed
	for id := range segment.ID(40) {
		list = append(list, source.Sealed{Ref: segment.Ref{ID: id + 1}, Size: 10})
	}
	q := queue{jobs: map[segment.Ref]*job{}}
	none := func(segment.Ref) bool { return false }
	q.update(list, none)
	running, _ := q.take()
	failed, _ := q.take()
	q.again(failed)
	q.update(list[20:], none)
	if len(q.jobs) != 21 || q.bytes != 210 || len(q.ready) != 20 || len(q.late) != 0 {
		t.Fatalf("%d jobs of %d bytes, %d ready and %d late; want 21 of 210, 20 and 0", len(q.jobs), q.bytes, len(q.ready), len(q.late))
	}
	q.remove(running)
	for j, _ := q.take(); j != nil; j, _ = q.take() {
		if j.ref.ID <= 20 {
			t.Errorf("%v was taken, which is gone", j.ref)
		}
		q.remove(j)
	}
	if len(q.jobs) != 0 || q.bytes != 0 {
		t.Errorf("%d jobs of %d bytes are left", len(q.jobs), q.bytes)
	}
}
