package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/archiver/prune"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// backupScene is a store in a test's map, its receipts, and an archive that has
// what was shipped.
type backupScene struct {
	t        *testing.T
	target   *archivesim.Target
	a        *archive.Archive
	w        *archivesim.Writer
	now      time.Time
	folder   fstest.MapFS
	receipts *receipt.Folder
	state    string // the path of that folder
}

func newBackupScene(t *testing.T) *backupScene {
	s := &backupScene{t: t, now: time.Unix(1_700_000_000, 0).UTC(), folder: fstest.MapFS{}}
	s.target = archivesim.NewTarget(func() time.Time { return s.now })
	s.a = archivesim.Open(t, s.target)
	s.w = archivesim.NewWriter(t, 1, s.now)
	var err error
	s.state = t.TempDir()
	s.receipts, err = receipt.Open(vfs.Dir(s.state))
	testkit.Must(t, err)
	return s
}

// roll seals a log of n objects.
func (s *backupScene) roll(n int) {
	s.w.Puts += n
	s.now = s.now.Add(time.Minute)
	s.w.Roll(s.now)
}

// ship puts what is sealed into the folder, and ships it.
func (s *backupScene) ship() {
	s.t.Helper()
	for ref, b := range s.w.ToShip {
		s.folder[ref.ID.String()+".seg"] = &fstest.MapFile{Data: b, Mode: 0o400}
		ship, err := sealed.Verify(s.t.Context(), bytes.NewReader(b), int64(len(b)))
		testkit.Must(s.t, err)
		name := archive.SegmentName(archivesim.UUID, ref)
		s.target.Plant(s.t, name, b)
		testkit.Must(s.t, s.receipts.Write(receipt.Receipt{
			Target: s.a.Identity().ID, URL: s.target.URL(), Store: archivesim.UUID, Segment: ref, Kind: ship.Kind.String(), Object: name,
			Size: ship.Size, SHA256: ship.SHA256, Shipped: s.now, FirstSeq: ship.Summary.FirstSeq, LastSeq: ship.Summary.LastSeq,
			FirstTime: ship.Summary.FirstTime, LastTime: ship.Summary.LastTime, Puts: uint64(ship.Summary.Puts),
		}))
		delete(s.w.ToShip, ref)
	}
}

func (s *backupScene) create() (*archive.Backup, error) {
	return Create(s.t.Context(), s.a, CreateOptions{Store: s.folder, Receipts: s.state, Now: s.now})
}

func (s *backupScene) mustCreate() *archive.Backup {
	s.t.Helper()
	b, err := s.create()
	testkit.Must(s.t, err)
	return b
}

// digestOf computes a backup's totals from the objects themselves.
func (s *backupScene) digestOf(b *archive.Backup) (segment.Digest, int64) {
	var total digest
	bytes := int64(0)
	for _, ref := range b.Refs() {
		o, ok := s.target.Look(archive.SegmentName(archivesim.UUID, ref))
		if !ok {
			s.t.Fatalf("backup %d lists %v, which is not there", b.ID, ref)
		}
		total.add(term(ref, int64(len(o.B)), sha256.Sum256(o.B)))
		bytes += int64(len(o.B))
	}
	return total.sum(), bytes
}

func TestABackupIsTheStateOfTheNewestSealedLog(t *testing.T) {
	s := newBackupScene(t)
	if _, err := s.create(); !errors.Is(err, target.ErrNotExist) {
		t.Errorf("backup of an empty store: %v", err)
	}
	s.roll(3)
	s.roll(2)
	s.ship()
	b := s.mustCreate()
	if b.ID != 1 || b.Seq != 5 || b.Objects != 5 || b.Tip != archivesim.Refs(1, 2)[0] || b.OwnBytes != b.Bytes || b.LogTime == 0 {
		t.Errorf("first backup: %+v", b)
	}
	s.roll(1)
	s.w.Compact(archivesim.Refs(1, 1, 2), s.now) // makes 5, one object
	s.w.Adopt()                                  // in log 4
	s.roll(1)
	s.ship()
	c := s.mustCreate()
	archivesim.EqualRefs(t, "second backup", c.Refs(), archivesim.Refs(1, 3, 4, 5))
	if c.ID != 2 || c.Seq != 7 || c.Objects != 3 {
		t.Errorf("second backup: %+v", c)
	}
	for _, x := range []*archive.Backup{b, c} {
		if digest, size := s.digestOf(x); x.Digest != digest || x.Bytes != size {
			t.Errorf("backup %d: digest %v of %d bytes, want %v of %d", x.ID, x.Digest, x.Bytes, digest, size)
		}
	}
	if d := s.mustCreate(); d.ID != 3 || d.OwnBytes != 0 || d.Digest != c.Digest {
		t.Errorf("a backup of what has not changed: %+v", d)
	}
	bs, err := s.a.Backups(t.Context(), archivesim.UUID)
	testkit.Must(t, err)
	if len(bs) != 3 || bs[1].Sum != c.Sum || bs[1].Time != c.Time {
		t.Errorf("list: %v", bs)
	}
}

func TestABackupAsksForWhatIsNewAndForNothingElse(t *testing.T) {
	s := newBackupScene(t)
	for range 50 {
		s.roll(1)
	}
	s.ship()
	s.mustCreate()
	s.roll(1)
	s.ship()
	clear(s.target.Count)
	s.mustCreate()
	want := map[string]int{"stat": 1, "list": 4, "open": 1, "put": 1} // backups twice, plans; the backup before
	if !maps.Equal(s.target.Count, want) {
		t.Errorf("requests: %v, want %v", s.target.Count, want)
	}
}

func TestABackupOfWhatIsNotInTheArchiveIsNotMade(t *testing.T) {
	s := newBackupScene(t)
	s.roll(1)
	s.roll(1)
	s.ship()
	name := archive.SegmentName(archivesim.UUID, archivesim.Refs(1, 1)[0])
	o := s.target.Objects[name]

	s.target.Objects[name] = archivesim.Object{B: append(bytes.Clone(o.B), 0), Modified: o.Modified}
	whole := s.a
	var err error
	s.a, err = archive.Open(t.Context(), hashless{s.target, false})
	testkit.Must(t, err)
	if _, err := s.create(); !errors.Is(err, target.ErrConflict) {
		t.Errorf("an object of another size: %v", err)
	}
	s.a = whole
	other := bytes.Clone(o.B)
	other[len(other)/2] ^= 1
	s.target.Objects[name] = archivesim.Object{B: other, Modified: o.Modified}
	if _, err := s.create(); !errors.Is(err, target.ErrConflict) {
		t.Errorf("an object of another hash: %v", err)
	}
	testkit.Must(t, s.target.Delete(t.Context(), name))
	if _, err := s.create(); !errors.Is(err, target.ErrNotExist) {
		t.Errorf("an object that is gone: %v", err)
	}
	s.target.Plant(t, name, o.B)
	s.mustCreate()

	s.roll(1)
	for ref, b := range s.w.ToShip { // sealed and not shipped
		s.folder[ref.ID.String()+".seg"] = &fstest.MapFile{Data: b}
	}
	if _, err := s.create(); !errors.Is(err, history.ErrIncomplete) {
		t.Errorf("a segment without a receipt: %v", err)
	}
	s.folder["00000000000000000009.seg"] = &fstest.MapFile{Data: []byte("neither segment nor anything else")}
	if _, err := s.create(); err == nil || !strings.Contains(err.Error(), "00000000000000000009.seg") {
		t.Errorf("a newest segment that cannot be read: %v", err)
	}
	if bs, err := s.a.Backups(t.Context(), archivesim.UUID); err != nil || len(bs) != 1 {
		t.Errorf("backups: %v, %v; want the one that was made", bs, err)
	}
}

// TestNoBackupOfWhatCannotBeRestored has the archive lose a segment that the backup before pins, and the
// gap be accepted.
func TestNoBackupOfWhatCannotBeRestored(t *testing.T) {
	s := newBackupScene(t)
	s.roll(1)
	s.roll(1)
	s.ship()
	s.mustCreate()
	ref := archivesim.Refs(1, 1)[0]
	testkit.Must(t, s.target.Delete(t.Context(), archive.SegmentName(archivesim.UUID, ref)))
	s.roll(1)
	s.ship()
	for _, what := range []string{"lost", "lost, and accepted"} {
		_, err := s.create()
		if e, ok := errors.AsType[*history.MissingError](err); !ok || !slices.Equal(e.Missing, []segment.Ref{ref}) {
			t.Errorf("a segment that is %s: %v", what, err)
		}
		testkit.Must(t, s.a.AcceptGap(t.Context(), archivesim.UUID, ref, "lost in the fire"))
	}
	if bs, err := s.a.Backups(t.Context(), archivesim.UUID); err != nil || len(bs) != 1 {
		t.Errorf("backups: %v, %v; want the one that was made", bs, err)
	}
}

// TestWordsThatJSONCannotHoldAreRefused: a manifest with such words could not be read again.
func TestWordsThatJSONCannotHoldAreRefused(t *testing.T) {
	s := newBackupScene(t)
	s.roll(1)
	s.ship()
	before := len(s.target.Objects)
	for _, meta := range []map[string]string{{"host": "caf\xe9"}, {"caf\xe9": "host"}} {
		_, err := Create(t.Context(), s.a, CreateOptions{Store: s.folder, Receipts: s.state, Meta: meta, Now: s.now})
		if !errors.Is(err, archive.ErrNotUTF8) {
			t.Errorf("%q: %v", meta, err)
		}
	}
	if err := s.a.AcceptGap(t.Context(), archivesim.UUID, archivesim.Refs(1, 9)[0], "caf\xe9"); !errors.Is(err, archive.ErrNotUTF8) {
		t.Errorf("a reason: %v", err)
	}
	if n := len(s.target.Objects); n != before {
		t.Errorf("%d objects were written", n-before)
	}
	unpin, err := s.a.Pin(t.Context(), archivesim.UUID, archivesim.Refs(1, 1), "restore to caf\xe9", time.Hour)
	testkit.Must(t, err)
	if pins, _, err := s.a.Pins(t.Context(), archivesim.UUID, time.Now()); err != nil || len(pins) != 1 {
		t.Errorf("the pin of a restore to such a folder: %v, %v", pins, err)
	}
	testkit.Must(t, unpin(t.Context()))
}

func TestBackupIdsOnlyGrow(t *testing.T) {
	s := newBackupScene(t)
	s.roll(1)
	s.ship()
	var wg sync.WaitGroup
	for range 10 { // at once
		wg.Go(func() {
			_, err := s.create()
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	testkit.Must(t, s.a.DeleteBackup(t.Context(), archivesim.UUID, 10))
	testkit.Must(t, s.a.DeleteBackup(t.Context(), archivesim.UUID, 3))
	if err := s.a.DeleteBackup(t.Context(), archivesim.UUID, 3); !errors.Is(err, archive.ErrNoBackup) {
		t.Errorf("deleting a backup twice: %v", err)
	}
	if b := s.mustCreate(); b.ID != 11 {
		t.Errorf("id %d after 10 was given and deleted", b.ID)
	}
	bs, err := s.a.Backups(t.Context(), archivesim.UUID)
	testkit.Must(t, err)
	var ids []uint64
	for _, b := range bs {
		ids = append(ids, b.ID)
	}
	if want := []uint64{1, 2, 4, 5, 6, 7, 8, 9, 11}; !slices.Equal(ids, want) {
		t.Errorf("backups %v, want %v", ids, want)
	}
	if b, err := s.a.Backup(t.Context(), archivesim.UUID, 0); err != nil || b.ID != 11 {
		t.Errorf("the newest backup: %v, %v", b, err)
	}
}

func TestVerifyNamesWhatIsBad(t *testing.T) {
	mid := func(b []byte) []byte { b[200] ^= 1; return b }
	for _, c := range []struct {
		name        string
		spoil       func(b []byte) []byte
		fast, whole bool // whether it is found without, and with reading every byte
		keepsHash   bool
	}{
		{"sound", func(b []byte) []byte { return b }, false, false, true},
		{"sound, no hashes known", func(b []byte) []byte { return b }, false, false, false},
		{"gone", nil, true, true, true},
		{"cut short", func(b []byte) []byte { return b[:len(b)-1] }, true, true, false},
		{"lengthened", func(b []byte) []byte { return append(b, 0) }, true, true, false},
		{"empty", func([]byte) []byte { return nil }, true, true, false},
		{"damaged header", func(b []byte) []byte { b[30] ^= 1; return b }, true, true, false},
		{"damaged record", mid, false, true, false},
		{"damaged record, hashes known", mid, true, true, true},
	} {
		s := newBackupScene(t)
		s.roll(10)
		s.roll(10)
		s.ship()
		b := s.mustCreate()
		bad := archivesim.Refs(1, 1)[0]
		name := archive.SegmentName(archivesim.UUID, bad)
		if c.spoil == nil {
			testkit.Must(t, s.target.Delete(t.Context(), name))
		} else {
			o := s.target.Objects[name]
			s.target.Objects[name] = archivesim.Object{B: c.spoil(bytes.Clone(o.B)), Modified: o.Modified}
		}
		a, err := archive.Open(t.Context(), hashless{s.target, c.keepsHash})
		testkit.Must(t, err)
		for _, data := range []bool{false, true} {
			var read int64
			var mu sync.Mutex
			rep, err := Verify(t.Context(), a, b, VerifyOptions{Data: data, OnRead: func(n int64) {
				mu.Lock()
				defer mu.Unlock()
				read += n
			}})
			testkit.Must(t, err)
			want := c.fast && !data || c.whole && data
			if rep.OK() == want {
				t.Errorf("%s, data %v: %+v", c.name, data, rep)
			}
			if named := len(rep.Bad) == 1 && rep.Bad[0].Ref == bad; data && want && !named {
				t.Errorf("%s: it is not named: %+v", c.name, rep)
			}
			if data && !want && (rep.Digest != "same" || read == 0) {
				t.Errorf("%s: digest %q, %d bytes read", c.name, rep.Digest, read)
			}
		}
	}
}

// hashless is a target that may have to read an object for its hash, as a folder has.
type hashless struct {
	*archivesim.Target
	keeps bool
}

func (h hashless) Stat(ctx context.Context, name string) (target.Info, error) {
	info, err := h.Target.Stat(ctx, name)
	if !h.keeps {
		info.SHA256 = [32]byte{}
	}
	return info, err
}

func TestVerifyReadsEachObjectWithAFewRequests(t *testing.T) {
	s := newBackupScene(t)
	s.roll(100_000)
	s.ship()
	b := s.mustCreate()
	clear(s.target.Count)
	rep, err := Verify(t.Context(), s.a, b, VerifyOptions{Data: true})
	testkit.Must(t, err)
	if !rep.OK() || b.Bytes < 4<<20 || s.target.Count["open"] > 5 {
		t.Errorf("%+v of %d bytes with %v", rep, b.Bytes, s.target.Count)
	}
}

// TestCostsOfAThousandBackupsOverManySegments counts the requests of list, create
// and prune: none for a segment that is not new.
func TestCostsOfAThousandBackupsOverManySegments(t *testing.T) {
	const segments, backups = 100_000, 1000
	s := newBackupScene(t)
	for id := range segment.ID(segments) { // names alone
		s.target.Objects[archive.SegmentName(archivesim.UUID, segment.Ref{Timeline: 1, ID: id + 1})] = archivesim.Object{}
	}
	var all []segment.Ref
	for id := range segment.ID(segments) {
		all = append(all, segment.Ref{Timeline: 1, ID: id + 1})
	}
	for i := range backups {
		tip := segments - backups + i
		b := &archive.Backup{ID: uint64(i + 1), Time: s.now, Store: archivesim.UUID, Tip: all[tip-1], Segments: segment.SetOf(all[:tip]...).Runs()}
		s.target.Objects[archivesim.BackupName(b.ID, "json")] = archivesim.Object{B: archivesim.Manifest(t, b)}
	}
	a, err := archive.Open(t.Context(), lazyLogs{s.target, func(id segment.ID) []byte {
		return archivesim.Segment(t, &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: archivesim.UUID, Ref: all[id-1], FirstSeq: uint64(id),
			Time: s.now.Add(time.Duration(id) * time.Second).UnixNano(), NextID: id + 1}, Live: segment.SetOf(all[:id-1]...)}, 1, nil)
	}})
	testkit.Must(t, err)
	s.target.Sorted = nil
	requests := func(what string, most int, fn func()) {
		t.Helper()
		clear(s.target.Count)
		fn()
		total := 0
		for _, n := range s.target.Count {
			total += n
		}
		if total > most {
			t.Errorf("%s: %d requests, want at most %d: %v", what, total, most, s.target.Count)
		}
	}
	requests("list", backups+2, func() {
		bs, err := a.Backups(t.Context(), archivesim.UUID)
		testkit.Must(t, err)
		if len(bs) != backups {
			t.Errorf("%d backups", len(bs))
		}
	})
	requests("prune", backups+segments/archivesim.ListPage+60, func() {
		rep, err := prune.Run(t.Context(), a, archivesim.UUID, prune.Options{Now: s.now.Add(segments * time.Second), DryRun: true, Explain: true,
			Policy: prune.Policy{Keep: 100, Window: time.Hour}})
		testkit.Must(t, err)
		if rep.Kept.Segments != segments || len(rep.Backups) != backups-100 {
			t.Errorf("%+v", rep)
		}
	})
}

// lazyLogs makes the logs that are read, of those that are there by name.
type lazyLogs struct {
	*archivesim.Target
	log func(id segment.ID) []byte
}

func (l lazyLogs) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if _, ref, _, ok := archive.ParseRefName(name); ok {
		l.Did("open", name)
		return io.NopCloser(io.NewSectionReader(bytes.NewReader(l.log(ref.ID)), off, n)), nil
	}
	return l.Target.Open(ctx, name, off, n)
}
