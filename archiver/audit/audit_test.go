package audit_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/audit"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// auditScene is a store with two timelines, all of it shipped to a folder.
type auditScene struct {
	t      *testing.T
	dir    string // of the store
	target target.Target
	root   string // of the archive
	id     string
	store  segment.UUID
	logs   []segment.Ref // sealed, in order
}

// newAuditScene makes a store of some segments, copies it as a crash would leave it, goes on
// with the copy, and ships everything.
func newAuditScene(t *testing.T, seed uint64) *auditScene {
	root := t.TempDir()
	dir, err := dir.Open(root, nil)
	testkit.Must(t, err)
	s := newAuditSceneIn(t, seed, dir)
	s.root = root
	return s
}

func newAuditSceneIn(t *testing.T, seed uint64, to target.Target) *auditScene {
	l := archivetest.NewLife(t, seed)
	fill := func() {
		for range 3 {
			for range 6 {
				l.Commit()
			}
			l.Seal()
		}
		l.Commit()
	}
	fill()
	l.Close()
	l.CopyTo(filepath.Join(t.TempDir(), "copy"))
	l.Open()
	fill()
	l.Close()
	s := &auditScene{t: t, dir: l.Dir, target: to, store: l.UUID}
	id, err := target.Init(t.Context(), s.target)
	testkit.Must(t, err)
	s.id = id.ID
	s.ship()
	files, _ := filepath.Glob(filepath.Join(s.dir, "*.seg"))
	for _, name := range files {
		b, err := os.ReadFile(name)
		testkit.Must(t, err)
		h, _, err := segment.ParseHeader(b)
		testkit.Must(t, err)
		s.logs = append(s.logs, h.Ref)
	}
	return s
}

func (s *auditScene) receipts() string { return filepath.Join(s.dir, "receipts") }

func (s *auditScene) ship() {
	s.t.Helper()
	a, err := archiver.New(archiver.Options{Store: os.DirFS(s.dir), Receipts: s.receipts(), Targets: []target.Target{s.target}})
	testkit.Must(s.t, err)
	_, err = a.Once(s.t.Context())
	testkit.Must(s.t, err)
}

func (s *auditScene) archive() *archive.Archive {
	s.t.Helper()
	a, err := archive.Open(s.t.Context(), s.target)
	testkit.Must(s.t, err)
	return a
}

// audit returns the report, and its findings as "kind id".
func (s *auditScene) audit(data bool) (*audit.Report, []string) {
	s.t.Helper()
	rep, err := audit.Run(s.t.Context(), s.archive(), audit.Options{Store: os.DirFS(s.dir), Receipts: s.receipts(), Data: data})
	testkit.Must(s.t, err)
	var list []string
	for _, f := range rep.Findings {
		if f.Next == "" || f.Problem == "" {
			s.t.Errorf("a finding that says nothing: %+v", f)
		}
		list = append(list, fmt.Sprintf("%s %d", f.Kind, f.Segment.ID))
	}
	return rep, list
}

// The paths of a segment's files.
func (s *auditScene) object(r segment.Ref) string {
	return filepath.Join(s.root, filepath.FromSlash(archivetest.ObjectOf(s.store, r)))
}
func (s *auditScene) local(r segment.Ref) string { return filepath.Join(s.dir, r.ID.String()+".seg") }
func (s *auditScene) receipt(r segment.Ref) string {
	return filepath.Join(s.dir, "receipts", s.id, fmt.Sprintf("%v-%v.json", r.ID, r.Timeline))
}

func (s *auditScene) remove(paths ...string) {
	s.t.Helper()
	for _, p := range paths {
		testkit.Must(s.t, os.Remove(p))
	}
}

// change writes other bytes to a file.
func (s *auditScene) change(path string, fn func([]byte) []byte) {
	s.t.Helper()
	b, err := os.ReadFile(path)
	testkit.Must(s.t, err)
	testkit.Must(s.t, os.Chmod(path, 0o600))
	testkit.Must(s.t, os.WriteFile(path, fn(b), 0o600))
}

func flip(b []byte) []byte {
	b[len(b)/2] ^= 4
	return b
}

func cutShort(b []byte) []byte { return b[:len(b)-1] }

// Of a store all of which was shipped, over two timelines, nothing is found.
func TestAuditOfWhatWasShippedFindsNothing(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		s := newAuditScene(t, seed)
		for _, data := range []bool{false, true} {
			rep, found := s.audit(data)
			if len(found) > 0 || len(rep.Tips) > 0 || len(rep.Notes) > 0 {
				t.Errorf("seed %d: %+v", seed, rep)
			}
			if n := len(s.logs); rep.Segments != n || rep.Objects != n || rep.Receipts != n || n < 6 {
				t.Errorf("seed %d: %d segments; the report: %+v", seed, n, rep)
			}
		}
	}
}

// Each injury is found, as what it is, and nothing else is.
func TestAuditFindsEachInjury(t *testing.T) {
	for _, c := range []struct {
		name   string
		injure func(s *auditScene, r segment.Ref)
		want   string // with the data read; "" is nothing
		less   bool   // without it nothing is found
	}{
		{"object removed", func(s *auditScene, r segment.Ref) { s.remove(s.object(r)) }, "object is lost", false},
		{"object removed, and the store's segment", func(s *auditScene, r segment.Ref) { s.remove(s.object(r), s.local(r)) }, "object is lost", false},
		{"not shipped", func(s *auditScene, r segment.Ref) { s.remove(s.object(r), s.receipt(r)) }, "not shipped", false},
		{"nowhere", func(s *auditScene, r segment.Ref) { s.remove(s.object(r), s.receipt(r), s.local(r)) }, "segment is missing", false},
		{"receipt removed", func(s *auditScene, r segment.Ref) { s.remove(s.receipt(r)) }, "no receipt", false},
		{"receipt cut", func(s *auditScene, r segment.Ref) { s.change(s.receipt(r), cutShort) }, "damaged receipt", false},
		{"receipt flipped", func(s *auditScene, r segment.Ref) { s.change(s.receipt(r), flip) }, "damaged receipt", false},
		{"a digit of the size in a receipt", func(s *auditScene, r segment.Ref) {
			s.change(s.receipt(r), func(b []byte) []byte { b[bytes.Index(b, []byte(`"size": `))+8] ^= 1; return b })
		}, "damaged receipt", false},
		{"the store's segment removed", func(s *auditScene, r segment.Ref) { s.remove(s.local(r)) }, "", false},
		{"the store's segment flipped", func(s *auditScene, r segment.Ref) { s.change(s.local(r), flip) }, "segment differs", true},
		{"the store's segment cut", func(s *auditScene, r segment.Ref) { s.change(s.local(r), cutShort) }, "segment differs", false},
		{"object of another segment", func(s *auditScene, r segment.Ref) {
			s.change(s.object(r), func([]byte) []byte {
				other := s.logs[(slices.Index(s.logs, r)+1)%len(s.logs)]
				b, err := os.ReadFile(s.local(other))
				testkit.Must(s.t, err)
				return b
			})
		}, "object is damaged", false},
		{"object flipped", func(s *auditScene, r segment.Ref) { s.change(s.object(r), flip) }, "object is damaged", false},
		{"object cut", func(s *auditScene, r segment.Ref) { s.change(s.object(r), cutShort) }, "object is damaged", false},
	} {
		for _, i := range []int{0, 2, 4} { // of both timelines
			s := newAuditScene(t, 1)
			ref := s.logs[i]
			c.injure(s, ref)
			for _, data := range []bool{false, true} {
				want := []string{fmt.Sprintf("%s %d", c.want, ref.ID)}
				if c.want == "" || c.less && !data {
					want = nil
				} else if c.want == audit.Damaged && !data {
					want = []string{fmt.Sprintf("%s %d", audit.Differs, ref.ID)}
				}
				if _, got := s.audit(data); !slices.Equal(got, want) {
					t.Errorf("%s, segment %v, data %v: found %q, want %q", c.name, ref, data, got, want)
				}
			}
		}
	}
}

// What nothing on the chain names is found, and what belongs to another tip is not.
func TestAuditTellsExtrasFromTips(t *testing.T) {
	s := newAuditScene(t, 2)
	old, now := s.logs[0].Timeline, s.logs[len(s.logs)-1].Timeline
	if old == now {
		t.Fatal("there is one timeline only")
	}
	body, err := os.ReadFile(s.local(s.logs[0]))
	testkit.Must(t, err)
	put := func(name string, b []byte) {
		testkit.Must(t, s.target.Put(t.Context(), name, bytes.NewReader(b), int64(len(b)), sha256.Sum256(b)))
	}
	put(archivetest.ObjectOf(s.store, segment.Ref{Timeline: now, ID: 1}), body)
	put(fmt.Sprintf("%v/%v/notes.txt", s.store, now), body)
	put(archivetest.ObjectOf(s.store, segment.Ref{Timeline: old, ID: 1000}), body)
	put(archivetest.ObjectOf(s.store, segment.Ref{Timeline: 7, ID: 3}), body)
	rep, got := s.audit(false)
	if want := []string{"extra object 0", "extra object 1"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if len(rep.Tips) != 2 || !slices.ContainsFunc(rep.Tips, func(x archive.Tip) bool { return x.Timeline == 7 && x.First == 3 && x.Segments == 1 }) {
		t.Errorf("tips: %+v", rep.Tips)
	}
}

// A segment that is gone for good is a finding until the gap is accepted, with a reason,
// and once; one that is there is no gap.
func TestAuditAcceptsAGapWithItsReason(t *testing.T) {
	s := newAuditScene(t, 3)
	ref := s.logs[1]
	a := s.archive()
	if err := a.AcceptGap(t.Context(), s.store, ref, "why"); err == nil || !strings.Contains(err.Error(), "there is no gap") {
		t.Errorf("a gap where the object is: %v", err)
	}
	s.remove(s.object(ref), s.receipt(ref), s.local(ref))
	if err := a.AcceptGap(t.Context(), s.store, ref, ""); err != archive.ErrNoReason {
		t.Errorf("without a reason: %v", err)
	}
	testkit.Must(t, a.AcceptGap(t.Context(), s.store, ref, "lost in the fire"))
	testkit.Must(t, a.AcceptGap(t.Context(), s.store, ref, "somebody else says"))
	b, err := os.ReadFile(strings.TrimSuffix(s.object(ref), "seg") + "gap")
	if err != nil || !bytes.Contains(b, []byte("lost in the fire")) {
		t.Errorf("the marker: %s, %v", b, err)
	}
	if rep, got := s.audit(true); len(got) > 0 || rep.Gaps != 1 {
		t.Errorf("found %q, %d gaps", got, rep.Gaps)
	}
}

// What is gone or damaged in the archive is put back from the store, byte for byte, and
// what was there is kept aside.
func TestRepairPutsBackWhatTheArchiveLostOrDamaged(t *testing.T) {
	s := newAuditScene(t, 4)
	want := map[segment.Ref][]byte{}
	for _, r := range s.logs {
		b, err := os.ReadFile(s.local(r))
		testkit.Must(t, err)
		want[r] = b
	}
	lost, bad, short, hopeless, sound := s.logs[0], s.logs[1], s.logs[2], s.logs[3], s.logs[4]
	s.remove(s.object(lost))
	s.change(s.object(bad), flip)
	s.change(s.object(short), cutShort)
	s.remove(s.object(hopeless))
	s.change(s.local(hopeless), flip)
	s.change(s.local(sound), flip) // the archive has it whole
	repair := func(dry bool) *audit.RepairReport {
		rep, err := audit.Repair(t.Context(), s.archive(), audit.RepairOptions{Store: os.DirFS(s.dir), Receipts: s.receipts(), DryRun: dry, Data: true})
		testkit.Must(t, err)
		if len(rep.Repaired) != 3 && len(rep.Repaired) != 0 || len(rep.Failed) != 1 || rep.Failed[0].Ref != hopeless {
			t.Fatalf("%+v", rep)
		}
		return rep
	}
	_, before := s.audit(true)
	if rep := repair(true); len(rep.Repaired) != 3 {
		t.Errorf("dry run: %+v", rep)
	}
	if _, after := s.audit(true); !slices.Equal(before, after) {
		t.Errorf("a dry run changed something: %q, was %q", after, before)
	}
	damaged, err := os.ReadFile(s.object(bad))
	testkit.Must(t, err)
	rep := repair(false)
	for _, r := range []segment.Ref{lost, bad, short, sound} {
		if got, err := os.ReadFile(s.object(r)); err != nil || !bytes.Equal(got, want[r]) {
			t.Errorf("segment %v: not what it was, %v", r, err)
		}
	}
	if got, err := os.ReadFile(s.object(bad) + ".bad-1"); err != nil || !bytes.Equal(got, damaged) {
		t.Errorf("the damaged bytes are not kept: %v", err)
	}
	if rep.Repaired[0].Aside != "" || !strings.HasSuffix(rep.Repaired[1].Aside, ".bad-1") {
		t.Errorf("%+v", rep.Repaired)
	}
	if rep := repair(false); len(rep.Repaired) != 0 {
		t.Errorf("repaired again: %+v", rep.Repaired)
	}
	audit, found := s.audit(true)
	if want := []string{fmt.Sprintf("object is lost %d", hopeless.ID), fmt.Sprintf("segment differs %d", sound.ID)}; !slices.Equal(found, want) {
		t.Errorf("after it: %q, want %q", found, want)
	}
	if len(audit.Notes) != 2 {
		t.Errorf("notes of what was set aside: %q", audit.Notes)
	}
}

// A damaged receipt says nothing of its object: it is written again by the store's segment,
// if that is sound, and the object is put back as any other.
func TestRepairWritesDamagedReceiptsAgain(t *testing.T) {
	s := newAuditScene(t, 11)
	plain, lost, hopeless, other := s.logs[0], s.logs[1], s.logs[2], s.logs[3]
	for _, r := range []segment.Ref{plain, lost, hopeless} {
		s.change(s.receipt(r), flip)
	}
	s.remove(s.object(lost), s.object(other))
	s.change(s.local(hopeless), flip)
	repair := func(dry bool) *audit.RepairReport {
		rep, err := audit.Repair(t.Context(), s.archive(), audit.RepairOptions{Store: os.DirFS(s.dir), Receipts: s.receipts(), DryRun: dry})
		testkit.Must(t, err)
		if len(rep.Failed) != 1 || rep.Failed[0].Ref != hopeless || !strings.Contains(rep.Failed[0].Problem, "no better") {
			t.Errorf("dry %v: %+v", dry, rep)
		}
		return rep
	}
	for _, dry := range []bool{true, false} {
		var got []string
		for _, x := range repair(dry).Repaired {
			got = append(got, fmt.Sprintf("%d %s", x.Ref.ID, filepath.Ext(x.Object)))
		}
		want := []string{fmt.Sprintf("%d .json", plain.ID), fmt.Sprintf("%d .seg", lost.ID), fmt.Sprintf("%d .json", lost.ID), fmt.Sprintf("%d .seg", other.ID)}
		if !slices.Equal(got, want) {
			t.Errorf("dry %v: repaired %q, want %q", dry, got, want)
		}
	}
	if rep := repair(false); len(rep.Repaired) > 0 {
		t.Errorf("repaired again: %+v", rep.Repaired)
	}
	if _, got := s.audit(true); !slices.Equal(got, []string{fmt.Sprintf("damaged receipt %d", hopeless.ID), fmt.Sprintf("segment differs %d", hopeless.ID)}) {
		t.Errorf("the audit finds %q", got)
	}
}

// An object that is sound, and not what was shipped, is somebody's: it stays.
func TestRepairLeavesASoundObjectAlone(t *testing.T) {
	s, o := newAuditScene(t, 5), newAuditScene(t, 6)
	ref := s.logs[1]
	// Another segment under the same name: the archive's copy becomes the truth, the
	// receipt's and the store's are those of another store.
	rewrite := func(b []byte) []byte { return resealed(t, b, s.store, ref) }
	other, err := os.ReadFile(o.local(o.logs[2]))
	testkit.Must(t, err)
	want := rewrite(other)
	s.change(s.object(ref), func([]byte) []byte { return want })
	rep, err := audit.Repair(t.Context(), s.archive(), audit.RepairOptions{Store: os.DirFS(s.dir), Receipts: s.receipts()})
	testkit.Must(t, err)
	if len(rep.Repaired) != 0 || len(rep.Failed) != 1 || !strings.Contains(rep.Failed[0].Problem, "sound segment") {
		t.Errorf("%+v", rep)
	}
	if got, err := os.ReadFile(s.object(ref)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the object was changed: %v", err)
	}
}

// A segment of the store that is sound, and not what was shipped, is put nowhere.
func TestRepairPutsBackOnlyWhatWasShipped(t *testing.T) {
	s := newAuditScene(t, 7)
	ref := s.logs[1]
	s.remove(s.object(ref))
	s.change(s.local(ref), func([]byte) []byte {
		b, err := os.ReadFile(s.local(s.logs[2]))
		testkit.Must(t, err)
		return resealed(t, b, s.store, ref)
	})
	rep, err := audit.Repair(t.Context(), s.archive(), audit.RepairOptions{Store: os.DirFS(s.dir), Receipts: s.receipts()})
	testkit.Must(t, err)
	if len(rep.Repaired) != 0 || len(rep.Failed) != 1 || !strings.Contains(rep.Failed[0].Problem, "not what was shipped") {
		t.Errorf("%+v", rep)
	}
	if _, err := os.Stat(s.object(ref)); err == nil {
		t.Error("it was put back")
	}
}

// resealed makes a sealed log that has the puts of b, under another name.
func resealed(t *testing.T, b []byte, u segment.UUID, ref segment.Ref) []byte {
	src, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	testkit.Must(t, err)
	h := *src.Header
	h.UUID, h.Ref, h.Live, h.NextID, h.Parent, h.Replaced, h.ParentSeq = u, ref, segment.Set{}, ref.ID+1, segment.Ref{}, segment.Ref{}, 0
	out := h.Append(nil)
	for rec, err := range src.Records(segment.Span{Depth: segment.WithValues}) {
		testkit.Must(t, err)
		if rec.Kind == segment.End {
			rec.SetEnd(segment.Ref{Timeline: ref.Timeline, ID: ref.ID + 1})
		}
		if rec.Vouches() {
			rec.Vouch = int64(len(out))
		}
		out = h.ChecksumSeed().AppendRecord(out, int64(len(out)), rec)
	}
	r, err := segment.NewReader(bytes.NewReader(out), int64(len(out)))
	testkit.Must(t, err)
	footer, _, err := r.Seal(int64(len(out)))
	testkit.Must(t, err)
	return append(out, footer...)
}
