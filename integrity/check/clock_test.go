package check_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/integrity/check"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// storeWithTimes writes a store of one log, with a put for each time.
func storeWithTimes(t *testing.T, times ...int64) (dir string, ref segment.Ref) {
	t.Helper()
	ref = segment.Ref{Timeline: 7, ID: 1}
	h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: segment.UUID{1, 2, 3}, Ref: ref, FirstSeq: 1, Time: times[0], NextID: 2}}
	b := h.Append(nil)
	for i, at := range times {
		b = h.ChecksumSeed().AppendRecord(b, int64(len(b)), &segment.Record{Kind: segment.Put, Flags: segment.FlagCommit | segment.FlagVouch,
			Key: fmt.Append(nil, "key ", i), Seq: uint64(i) + 1, Time: at, Vouch: int64(len(b))})
	}
	dir = t.TempDir()
	testkit.Must(t, os.WriteFile(filepath.Join(dir, ref.ID.String()+".open"), b, 0o600))
	return dir, ref
}

// TestAClockThatRanAheadIsNamed: open, stat's report and check name the log, the last number
// before the jump and the last one of the run, in the newest log and once it is sealed.
func TestAClockThatRanAheadIsNamed(t *testing.T) {
	now := time.Now().UnixNano()
	const minute, year = int64(time.Minute), 365 * 24 * int64(time.Hour)
	dir, ref := storeWithTimes(t, now-3*minute, now-2*minute, now-minute, now+year, now+year+1, now+year+2)

	look := func(what string, clock []segment.ClockJump, last uint64) {
		t.Helper()
		if len(clock) != 1 || clock[0].Segment != ref || clock[0].AfterSeq != 3 || !clock[0].AfterTime.Equal(time.Unix(0, now-minute)) || clock[0].LastSeq != last || !clock[0].Ahead {
			t.Errorf("%s: %+v", what, clock)
		}
		r := mustCheck(t, vfs.AsFS(vfs.Dir(dir)), check.Options{})
		named := 0
		for _, n := range r.Notes {
			if strings.Contains(n.Text, "the clock ran ahead") && strings.Contains(n.Text, fmt.Sprintf("sequence numbers 4 to %d,", last)) && strings.Contains(n.File, ref.ID.String()) {
				named++
			}
		}
		if named != 1 || len(r.Findings) > 0 {
			t.Errorf("%s: check finds %v, and notes %v", what, r.Findings, r.Notes)
		}
	}
	r, err := store.OpenReadOnly(dir, nil)
	testkit.Must(t, err)
	look("read-only", r.OpenReport().Clock, 6)
	testkit.Must(t, r.Close())

	db, err := store.Open(dir, nil)
	testkit.Must(t, err)
	clock := db.OpenReport().Clock
	if len(clock) != 1 || clock[0].Segment == ref {
		t.Fatalf("opened for writing, with recovery: %+v", clock)
	}
	ref = clock[0].Segment // the log that recovery wrote anew
	testkit.Must(t, db.Close())
	look("opened for writing", clock, 6)

	db, err = store.Open(dir, nil)
	testkit.Must(t, err)
	for i := range 30 { // behind the times that are there
		testkit.Must(t, db.Put(fmt.Append(nil, "later ", i), nil))
	}
	testkit.Must(t, db.Close())
	r, err = store.OpenReadOnly(dir, nil)
	testkit.Must(t, err)
	look("recovered", r.OpenReport().Clock, 36)
	testkit.Must(t, r.Close())

	db, err = store.Open(dir, nil)
	testkit.Must(t, err)
	_, err = db.Seal()
	testkit.Must(t, err)
	testkit.Must(t, db.Close())
	r, err = store.OpenReadOnly(dir, nil)
	testkit.Must(t, err)
	look("sealed", r.OpenReport().Clock, 36)
	testkit.Must(t, r.Close())
}

// TestAClockThatIsRightIsNotNamed: the fastest commits there are follow the clock.
func TestAClockThatIsRightIsNotNamed(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(dir, &store.Options{SegmentSize: 64 << 10, Durability: store.SyncEvery(time.Hour)})
	testkit.Must(t, err)
	for i := range 20_000 {
		testkit.Must(t, db.Put(fmt.Append(nil, i), nil))
	}
	testkit.Must(t, db.Close())
	r, err := store.OpenReadOnly(dir, nil)
	testkit.Must(t, err)
	defer r.Close()
	if rep := r.OpenReport(); len(rep.Clock) > 0 || rep.Segments < 5 {
		t.Errorf("%d segments: %+v", rep.Segments, rep.Clock)
	}
}
