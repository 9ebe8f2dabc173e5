package store

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// found gathers findings.
type found struct {
	mu   sync.Mutex
	list []integrity.Finding
}

func (f *found) add(x integrity.Finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, x)
}

func (f *found) segments() (refs []segment.Ref) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.list {
		refs = append(refs, x.Segment)
	}
	return refs
}

func scrubbed(t *testing.T, fs vfs.FS, f *found, every time.Duration) *DB {
	t.Helper()
	db, err := openFS(fs, resolve(t, Options{Scrub: ScrubOptions{Rate: 1 << 30, Every: every, OnFinding: f.add}}))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// TestScrubVerifiesAllAndRemembers scrubs a store, and opens it again: nothing is read
// before its time.
func TestScrubVerifiesAllAndRemembers(t *testing.T) {
	h := newHurt(t, 31)
	var f found
	db := scrubbed(t, h.fs, &f, time.Hour)
	eventually(t, "all to be verified", func() bool { s := db.Stats().Scrub; return s.Segments == 6 && s.Verified == 6 && !s.Oldest.IsZero() })
	if n := db.Stats().Scrub.Bytes; n < db.Stats().FileBytes/2 {
		t.Errorf("%d bytes read", n)
	}
	mustClose(t, db)
	m, err := integrity.LoadScrubLog(vfs.AsFS(h.fs))
	if err != nil || len(m) != 6 {
		t.Fatalf("%v, %v", m, err)
	}
	db = scrubbed(t, h.fs, &f, time.Hour)
	eventually(t, "the memory to be read", func() bool { return db.Stats().Scrub.Verified == 6 })
	if n := db.Stats().Scrub.Bytes; n != 0 {
		t.Errorf("%d bytes read again", n)
	}
	if err := db.Put([]byte("new"), []byte("1")); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	if len(f.segments()) != 0 {
		t.Errorf("findings in a sound store: %+v", f.list)
	}
}

// TestScrubFindsDamage damages two segments of an open store: each is told once in
// its time, with when it was last known to be whole, and the others are verified.
func TestScrubFindsDamage(t *testing.T) {
	h := newHurt(t, 32)
	var f found
	db := scrubbed(t, h.fs, &f, time.Hour)
	eventually(t, "all to be verified", func() bool { return db.Stats().Scrub.Verified == 6 })
	mustClose(t, db)
	for _, i := range []int{1, 4} {
		name := sealName(h.refs[i].ID)
		b := bytes.Clone(h.fs.Bytes(name))
		b[len(b)/2] ^= 1
		h.fs.SetBytes(name, b)
	}
	db = scrubbed(t, h.fs, &f, time.Millisecond) // again, all the time
	eventually(t, "the damage to be found", func() bool {
		refs := f.segments()
		return slices.Contains(refs, h.refs[1]) && slices.Contains(refs, h.refs[4])
	})
	s := db.Stats().Scrub
	mustClose(t, db)
	if s.Found == 0 || len(s.Findings) == 0 || int64(len(s.Findings)) > s.Found {
		t.Fatalf("%+v", s)
	}
	for _, x := range s.Findings {
		if x.Segment != h.refs[1] && x.Segment != h.refs[4] || x.Good.IsZero() || x.Next == "" || x.File == "" {
			t.Errorf("%+v", x)
		}
	}
}

// TestScrubTellsOfAFileThatIsGone takes the file of a segment away from an open store: it is
// told once, and what is in it can be read.
func TestScrubTellsOfAFileThatIsGone(t *testing.T) {
	h := newHurt(t, 35)
	var f found
	db := scrubbed(t, h.fs, &f, time.Millisecond)
	defer mustClose(t, db)
	eventually(t, "all to be verified", func() bool { return db.Stats().Scrub.Verified == 6 })
	if err := h.fs.Remove(sealName(h.refs[2].ID)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it to be told", func() bool { return len(f.segments()) > 0 })
	read := db.Stats().Scrub.Bytes
	eventually(t, "others to be read on", func() bool { return db.Stats().Scrub.Bytes > read+1<<20 })
	s := db.Stats().Scrub
	if x := s.Findings; len(x) != 1 || x[0].Kind != integrity.Missing || x[0].Segment != h.refs[2] || x[0].Good.IsZero() || x[0].Next == "" {
		t.Errorf("findings: %+v", x)
	}
	if s.Segments != 5 {
		t.Errorf("%d segments, want 5", s.Segments)
	}
	h.check(t, db, func(string) bool { return false })
}

// TestScrubTakesTheOldestFirst asks for the order.
func TestScrubTakesTheOldestFirst(t *testing.T) {
	now := time.Now()
	ref := func(id segment.ID) segment.Ref { return segment.Ref{Timeline: 1, ID: id} }
	s := &scrubber{
		memory: integrity.ScrubLog{
			ref(1): {Verified: now.Add(-2 * time.Hour)},
			ref(2): {Verified: now.Add(-3 * time.Hour)},
			ref(4): {Verified: now.Add(-time.Hour)},
			ref(9): {Verified: now.Add(-9 * time.Hour)}, // no longer of the store
		},
		tried: map[segment.Ref]time.Time{ref(3): now.Add(-time.Minute)}, // damaged
	}
	var files []sealedFile
	for _, id := range []segment.ID{1, 2, 3, 4} {
		files = append(files, sealedFile{ref(id), now.Add(-9 * time.Hour)})
	}
	for _, want := range []segment.ID{2, 1, 4, 3} {
		got, _ := s.oldest(files)
		if got != ref(want) {
			t.Fatalf("segment %v comes, want %v", got, want)
		}
		s.memory[got] = integrity.Scrubbed{Verified: time.Now()}
	}
	if _, ok := s.memory[ref(9)]; ok {
		t.Error("a segment that left the store is remembered")
	}
}

// TestASealCountsUntilTheFirstScrub: a segment that was just sealed makes nothing old, and
// is the first to be read all the same; one that was never scrubbed is as old as its seal.
func TestASealCountsUntilTheFirstScrub(t *testing.T) {
	now := time.Now()
	ref := func(id segment.ID) segment.Ref { return segment.Ref{Timeline: 1, ID: id} }
	s := &scrubber{memory: integrity.ScrubLog{ref(1): {Verified: now.Add(-2 * time.Hour)}}}
	files := []sealedFile{{ref(1), now.Add(-5 * time.Hour)}}
	for _, c := range []struct {
		sealed, oldest time.Duration
		next           segment.ID
	}{{0, 2 * time.Hour, 2}, {time.Hour, 2 * time.Hour, 2}, {3 * time.Hour, 3 * time.Hour, 2}} {
		next, _ := s.oldest(append(files, sealedFile{ref(2), now.Add(-c.sealed)}))
		if st := s.stats; next != ref(c.next) || !st.Oldest.Equal(now.Add(-c.oldest)) || st.Verified != 1 || st.Segments != 2 {
			t.Errorf("sealed %v ago: %v comes; %+v", c.sealed, next, st)
		}
	}
	if s.oldest(nil); !s.stats.Oldest.IsZero() {
		t.Errorf("of no segment the oldest is of %v", s.stats.Oldest)
	}
}

// TestSealsAreKnownOfOldSegmentsAndNew opens a store that was never scrubbed, and has one more
// log sealed.
func TestSealsAreKnownOfOldSegmentsAndNew(t *testing.T) {
	h := newHurt(t, 36)
	db, err := openFS(h.fs, resolve(t, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, db)
	first := int64(0)
	for _, f := range h.fs.Names() {
		if b := h.fs.Bytes(f); strings.HasSuffix(f, ".seg") {
			if at := lastTime(t, b); first == 0 || at < first {
				first = at
			}
		}
	}
	s := &scrubber{db: db}
	files, _, err := s.sealed()
	if s.oldest(files); err != nil || s.stats.Segments != 6 || s.stats.Verified != 0 || s.stats.Oldest.UnixNano() != first {
		t.Errorf("%+v, %v; the first seal was at %v", s.stats, err, time.Unix(0, first))
	}
	if err := db.Put([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Seal(); err != nil {
		t.Fatal(err)
	}
	files, _, err = s.sealed()
	if err != nil || len(files) != 7 {
		t.Fatalf("%v, %v", files, err)
	}
	if at, want := files[6].sealed.UnixNano(), lastTime(t, h.fs.Bytes(sealName(files[6].ref.ID))); at != want {
		t.Errorf("sealed at %v, and its footer says %v", at, want)
	}
}

// lastTime is the commit time of a sealed segment's end.
func lastTime(t *testing.T, b []byte) int64 {
	t.Helper()
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.OpenFooter()
	if err != nil {
		t.Fatal(err)
	}
	return f.LastTime
}

// TestAVerificationInTheFutureDoesNotCount: it would keep a segment from being read.
func TestAVerificationInTheFutureDoesNotCount(t *testing.T) {
	h := newHurt(t, 37)
	m := integrity.ScrubLog{}
	for _, ref := range h.refs {
		m[ref] = integrity.Scrubbed{Verified: time.Now().Add(1000 * time.Hour)}
	}
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	h.fs.SetBytes(integrity.ScrubLogName, b)
	var f found
	db := scrubbed(t, h.fs, &f, time.Hour)
	eventually(t, "all to be read", func() bool {
		s := db.Stats().Scrub
		return s.Verified == 6 && s.Bytes > 0 && !s.Oldest.After(time.Now())
	})
	mustClose(t, db)
}

// TestScrubMemoryIsNoTruth loses and damages the memory: all is verified again.
func TestScrubMemoryIsNoTruth(t *testing.T) {
	h := newHurt(t, 33)
	h.fs.SetBytes(integrity.ScrubLogName, []byte("{ not json"))
	var f found
	db := scrubbed(t, h.fs, &f, time.Hour)
	eventually(t, "all to be verified", func() bool { return db.Stats().Scrub.Verified == 6 })
	mustClose(t, db)
}

// TestScrubHarmsNothing cuts the power, and fails calls, while the memory is
// written: the store opens, and the memory is the old one or a new one.
func TestScrubHarmsNothing(t *testing.T) {
	h := newHurt(t, 34)
	var f found
	rec := h.fs.Record()
	db := scrubbed(t, h.fs, &f, time.Hour)
	eventually(t, "all to be verified", func() bool { return db.Stats().Scrub.Verified == 6 })
	mustClose(t, db)
	for n := rec.First(); n <= rec.Ops(); n++ {
		for state, c := range rec.At(n).States(34) {
			if _, err := integrity.LoadScrubLog(vfs.AsFS(c)); err != nil {
				t.Fatalf("cut at %d, %v: %v", n, state, err)
			}
			r, err := openReader(c, resolve(t, Options{Integrity: integrity.Full}))
			if err != nil {
				t.Fatalf("cut at %d, %v: %v", n, state, err)
			}
			h.check(t, r, func(string) bool { return false })
			r.Close()
		}
	}
	c := newHurt(t, 34)
	c.fs.Fail(func(op crashfs.Op) error {
		if op.Name == integrity.ScrubLogName+".tmp" {
			return errors.New("no")
		}
		return nil
	})
	db = scrubbed(t, c.fs, &f, time.Hour)
	eventually(t, "all to be verified", func() bool { return db.Stats().Scrub.Verified == 6 })
	if err := db.Put([]byte("k"), []byte("v")); err != nil {
		t.Error(err)
	}
	mustClose(t, db)
}
