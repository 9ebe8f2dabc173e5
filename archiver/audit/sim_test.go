package audit

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/receipt/receipttest"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// auditSim is a simulated store with compaction and crashes, shipped to an archive.
type auditSim struct {
	t       *testing.T
	w       *archivesim.Writer
	target  *archivesim.Target
	a       *archive.Archive
	dir     string
	shipped map[segment.Ref][]byte
	line    segment.Timeline
}

func newAuditSim(t *testing.T, seed uint64) *auditSim {
	now := time.Unix(1e9, 0)
	s := &auditSim{t: t, line: 1, target: archivesim.NewTarget(func() time.Time { return now }), dir: t.TempDir(), shipped: map[segment.Ref][]byte{}}
	s.a = archivesim.Open(t, s.target)
	s.w = archivesim.NewWriter(t, s.line, now)
	rng := rand.New(rand.NewPCG(seed, 9))
	for range 40 {
		now = now.Add(time.Minute)
		s.w.Puts += 1 + rng.IntN(3)
		switch n := rng.IntN(20); {
		case n < 8:
			s.w.Roll(now)
		case n < 12 && len(s.w.Live) > 1 && len(s.w.Outputs) == 0:
			i := rng.IntN(len(s.w.Live) - 1)
			s.w.Compact(slices.Clone(s.w.Live[i:i+2]), now)
		case n < 15:
			s.w.Adopt()
		case n < 17:
			s.w.Tidy()
		case n < 18 && len(s.w.Outputs) == 0 && len(s.w.Chain) > 0:
			s.line++
			s.w = s.w.Crash(s.line, now)
		}
	}
	s.w.Adopt()
	s.w.Roll(now.Add(time.Minute))
	s.ship()
	return s
}

// ship puts what was sealed into the archive, with receipts, and what is live, and
// the running log, into the store's folder.
func (s *auditSim) ship() {
	r := receipttest.OpenReceipts(s.t, vfs.Dir(s.receipts()))
	for ref, b := range s.w.ToShip {
		s.shipped[ref] = b
		s.target.Plant(s.t, archive.SegmentName(archivesim.UUID, ref), b)
		ship, err := sealed.Verify(s.t.Context(), bytes.NewReader(b), int64(len(b)))
		testkit.Must(s.t, err)
		testkit.Must(s.t, r.Write(receipt.Receipt{Target: s.a.Identity().ID, URL: "sim:", Store: archivesim.UUID, Segment: ref, Kind: ship.Kind.String(), Object: archive.SegmentName(archivesim.UUID, ref),
			Size: ship.Size, SHA256: sha256.Sum256(b), Shipped: time.Unix(1e9, 0).UTC(), FirstSeq: ship.Summary.FirstSeq, LastSeq: ship.Summary.LastSeq}))
		if slices.Contains(s.w.Live, ref) {
			testkit.Must(s.t, os.WriteFile(s.local(ref), b, 0o400))
		}
	}
	h := *s.w.Hdr
	h.NextID = s.w.NextID
	testkit.Must(s.t, os.WriteFile(filepath.Join(s.dir, h.Ref.ID.String()+".open"), h.Append(nil), 0o600))
}

func (s *auditSim) receipts() string { return filepath.Join(s.dir, "receipts") }

func (s *auditSim) local(ref segment.Ref) string { return filepath.Join(s.dir, ref.ID.String()+".seg") }

func (s *auditSim) audit(data bool) []string {
	rep, err := Run(s.t.Context(), s.a, Options{Store: os.DirFS(s.dir), Receipts: s.receipts(), Data: data})
	testkit.Must(s.t, err)
	var found []string
	for _, f := range rep.Findings {
		found = append(found, fmt.Sprintf("%s %v: %s", f.Kind, f.Segment, f.Problem))
	}
	return found
}

// forget removes every trace of a segment outside of headers.
func (s *auditSim) forget(ref segment.Ref) (undo func()) {
	name := filepath.Join(s.dir, "receipts", s.a.Identity().ID, fmt.Sprintf("%v-%v.json", ref.ID, ref.Timeline))
	receipt, err := os.ReadFile(name)
	testkit.Must(s.t, err)
	testkit.Must(s.t, os.Remove(name))
	local, err := os.ReadFile(s.local(ref))
	if err == nil {
		testkit.Must(s.t, os.Remove(s.local(ref)))
	}
	testkit.Must(s.t, s.target.Delete(s.t.Context(), archive.SegmentName(archivesim.UUID, ref)))
	return func() {
		testkit.Must(s.t, os.WriteFile(name, receipt, 0o600))
		if local != nil {
			testkit.Must(s.t, os.WriteFile(s.local(ref), local, 0o400))
		}
		s.target.Plant(s.t, archive.SegmentName(archivesim.UUID, ref), s.shipped[ref])
	}
}

// Over rolls, compaction, crashes and removals, nothing is found in what was shipped
// whole; and no segment that was ever sealed can vanish, with its receipt, without being
// found.
func TestAuditMissesNothingThatWasEverSealed(t *testing.T) {
	outputs, edited := 0, 0
	for _, seed := range []uint64{1, 2, 10} {
		s := newAuditSim(t, seed)
		for _, data := range []bool{false, true} {
			if found := s.audit(data); len(found) > 0 {
				t.Fatalf("seed %d, data %v: found in a whole archive:\n%s", seed, data, strings.Join(found, "\n"))
			}
		}
		for _, ref := range slices.SortedFunc(maps.Keys(s.shipped), segment.Ref.Compare) {
			h, _, err := segment.ParseHeader(s.shipped[ref])
			testkit.Must(t, err)
			undo := s.forget(ref)
			found := s.audit(false)
			if len(found) == 0 && h.Kind == segment.Output {
				found = s.audit(true) // the edits of all logs are read
				edited++
			}
			if len(found) == 0 {
				t.Errorf("seed %d: %v %v vanished, and nothing is found", seed, h.Kind, ref)
			}
			if h.Kind == segment.Output {
				outputs++
			}
			undo()
			testkit.Must(t, s.a.PutMarker(t.Context(), archive.RefName(archivesim.UUID, ref, "gone"), &archive.Marker{Why: "pruned"}))
		}
		needed := len(s.w.Live)
		for _, found := range s.audit(false) {
			if needed--; !strings.HasPrefix(found, GivenUp) {
				t.Errorf("seed %d: all was pruned, and found is: %s", seed, found)
			}
		}
		if needed != 0 {
			t.Errorf("seed %d: of what was pruned the store needs %d more than is found", seed, needed)
		}
	}
	if outputs < 8 || edited < 1 {
		t.Errorf("%d outputs, %d of them named by edits only: the test is too tame", outputs, edited)
	}
}

// A log whose sequence numbers do not follow those before is found, unless what was
// between is known to be gone.
func TestAuditFindsAGapInTheSequence(t *testing.T) {
	for _, shift := range []int64{-1, 3} {
		s := newAuditSim(t, 1)
		name := filepath.Join(s.dir, s.w.Hdr.Ref.ID.String()+".open")
		h := *s.w.Hdr
		h.FirstSeq = uint64(int64(h.FirstSeq) + shift)
		h.NextID = s.w.NextID
		testkit.Must(t, os.WriteFile(name, h.Append(nil), 0o600))
		found := s.audit(false)
		if len(found) != 1 || !strings.HasPrefix(found[0], Sequence) {
			t.Errorf("shifted by %d: %q", shift, found)
		}
	}
	if _, err := Run(t.Context(), newAuditSim(t, 1).a, Options{Store: os.DirFS(t.TempDir()), Receipts: t.TempDir()}); err == nil {
		t.Error("a folder without a store was audited")
	}
}

// A log that a newer one follows and that is not sealed yet, as a writer that was killed
// leaves it, is not shipped. It is not missing, and no gap is to be accepted.
func TestAuditKnowsALogThatWaitsForItsSeal(t *testing.T) {
	s := newAuditSim(t, 1)
	ref := s.w.Chain[len(s.w.Chain)-1].Hdr.Ref
	undo := s.forget(ref)
	defer undo()
	testkit.Must(t, os.WriteFile(filepath.Join(s.dir, ref.ID.String()+".open"), s.shipped[ref], 0o600))
	found := s.audit(false)
	if len(found) != 1 || !strings.HasPrefix(found[0], Unshipped) || !strings.Contains(found[0], ref.String()) || strings.Contains(found[0], "accept") {
		t.Errorf("found: %q", found)
	}
}
