package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/segment"
)

// unsyncedGroups writes groups of buffered commits to one log, each full, and the
// first of them synced; the others are in the file and not synced. It returns the
// history of it, and the store, open.
func unsyncedGroups(t *testing.T, fsys *crashfs.FS) (*DB, *history) {
	tr := &track{}
	h := &history{tracks: []*track{tr}}
	db := mustOpen(t, fsys, Options{SegmentSize: 4 << 20, Durability: SyncEvery(time.Hour)})
	for i := range 4 {
		for j, size := range []int{1, groupSize} { // the first record is so small that a power cut can leave it whole
			key := fmt.Sprint(i, j)
			o := &Object{Value: []byte(value(key, size))}
			tr.steps = append(tr.steps, step{changes: []change1{{key, o}}, acked: never, seq: uint64(2*i + j + 1)})
			mustPut(t, db, key, string(o.Value))
		}
		groupsWritten(t, db)
		if i == 0 {
			if err := db.Sync(); err != nil {
				t.Error(err)
			}
			eventually(t, "the idle mark", db.isMarked) // which no sync comes after
			tr.ack(fsys.Ops())
		}
	}
	return db, h
}

// groupsWritten waits until no group waits to be written.
func groupsWritten(t *testing.T, db *DB) {
	t.Helper()
	eventually(t, "the groups are written", func() bool {
		db.mu.Lock()
		defer db.mu.Unlock()
		return len(db.queue) == 0
	})
}

// TestCrashBetweenUnsyncedGroups cuts the power while several groups of one log are
// written and not synced: what is lost of the first is a torn tail, whatever there is of
// those after it, since none of them vouches for more than was synced.
func TestCrashBetweenUnsyncedGroups(t *testing.T) {
	fsys := crashfs.New()
	rec := fsys.Record()
	db, h := unsyncedGroups(t, fsys)
	c := &crashes{t: t}
	opt := Options{SegmentSize: 4 << 20}
	n := rec.Ops()
	seed := uint64(number(t, "VARVE_CRASH_SEED", 1))
	for i := range uint64(12) {
		kind := []crashfs.DataKind{crashfs.DataSectors, crashfs.DataZeroed, crashfs.DataGarbled, crashfs.DataMixed}[i%4]
		s := crashfs.State{Kind: crashfs.Kind{Data: kind, Names: crashfs.NamesAll}, Seed: seed + i}
		if err := c.verify(h, n, fsys.Crash(s.Seed, s.Kind), opt, false); err != nil {
			t.Errorf("%v: %v", s, err)
		}
	}
	mustClose(t, db)
}

// TestModelOfUnsyncedGroups is unsyncedGroups many times, killed and cut off by seed.
func TestModelOfUnsyncedGroups(t *testing.T) {
	seed := uint64(number(t, "VARVE_MODEL_SEED", 1))
	rng := seeded(seed)
	m := &model{t: t, rng: rng, fs: crashfs.New(), tr: &track{}, now: contents{}, next: 1, keys: []string{"a", "b", "c"}}
	m.opt = Options{SegmentSize: 4 << 20, Durability: SyncEvery(time.Hour)}
	m.db = mustOpen(t, m.fs, m.opt)
	for m.n = range 10 {
		for i := range 6 {
			key := m.key()
			o := &Object{Value: []byte(value(key, i%2*groupSize+rng.IntN(50)))}
			if err := m.commit([]change1{{key, o}}, m.db.Put([]byte(key), o.Value)); err != nil {
				t.Fatalf("seed %d, round %d: %v", seed, m.n, err)
			}
			if i%2 == 1 { // the group is full
				groupsWritten(t, m.db)
			}
		}
		kind := crashfs.Kind{Data: crashfs.DataSectors + crashfs.DataKind(rng.IntN(4)), Names: crashfs.NamesAll}
		if err := m.leave(m.fs.Crash(rng.Uint64(), kind)); err != nil {
			t.Fatalf("seed %d, round %d, %v: %v", seed, m.n, kind, err)
		}
	}
	if err := m.end(); err != nil {
		t.Fatalf("seed %d, end: %v", seed, err)
	}
}

// TestTraceOfVouches: the first record of each write says how far the log was synced
// before it, and not how far it was written.
func TestTraceOfVouches(t *testing.T) {
	fsys := crashfs.New()
	db, _ := unsyncedGroups(t, fsys)
	db.ioMu.Lock()
	synced, name := db.newest.synced, db.newest.name
	db.ioMu.Unlock()
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	r, err := segment.NewReader(f, size)
	if err != nil {
		t.Fatal(err)
	}
	var vouches []int64
	for rec, err := range r.Records(segment.Span{To: size, Depth: segment.CheckValues}) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Kind == segment.Put && rec.Flags&segment.FlagVouch != 0 {
			vouches = append(vouches, rec.Vouch)
		}
	}
	if len(vouches) < 4 {
		t.Fatalf("%d groups, want at least 4: %d", len(vouches), vouches)
	}
	for i, v := range vouches[1:] {
		if v != synced {
			t.Errorf("group %d vouches for %d bytes; %d are synced", i+2, v, synced)
		}
	}
	mustClose(t, db)
}
