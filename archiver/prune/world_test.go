package prune_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/backup"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/inplace"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/prune"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// world is stores of one origin, an archive that they share, and what its backups
// hold.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	v       *archivetest.Vault
	a       *archive.Archive
	stores  []*member
	backups map[uint64]map[string]string
	deleted int
}

// member is a store of a world.
type member struct {
	*archivetest.Life
	line segment.Timeline // of the newest log that was shipped
	seq  uint64           // the last number that was shipped
}

// TestPrunedArchivesRestoreToTheModel lets stores be written to, crash, be restored to
// random points and go on from there, be backed up, and be given up, with prunes of
// random policies in between. After each prune every point of the window, the
// newest state of each store, and every backup that is kept restore to exactly what
// was. Seeds 1 to 4, or as many as VARVE_PRUNE_SEEDS says.
func TestPrunedArchivesRestoreToTheModel(t *testing.T) {
	deleted := 0
	for seed := range pruneSeeds(4) {
		t.Run(fmt.Sprint("seed ", seed+1), func(t *testing.T) {
			w := newWorld(t, seed+1)
			for range 30 {
				s := w.stores[w.rng.IntN(len(w.stores))]
				switch w.rng.IntN(7) {
				case 0:
					s.Commit() // in a log that is not shipped
				case 1:
					s.Crash()
				case 2:
					w.backup(s)
				case 3:
					w.restore(s)
				case 4:
					w.prune()
				default:
					w.write(s)
				}
			}
			w.prune()
			deleted += w.deleted
		})
	}
	if deleted == 0 {
		t.Error("no prune deleted anything: the test proves nothing")
	}
}

// pruneSeeds returns how many seeds a test runs.
func pruneSeeds(n uint64) uint64 {
	if m, err := strconv.ParseUint(os.Getenv("VARVE_PRUNE_SEEDS"), 10, 32); err == nil {
		return m
	}
	return n
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 13)), v: archivetest.NewVault(), backups: map[uint64]map[string]string{}}
	w.a = w.v.Archive(t)
	w.add(archivetest.NewLife(t, seed))
	return w
}

// add adds a store, which at once ships something of its own.
func (w *world) add(l *archivetest.Life) {
	s := &member{Life: l}
	w.t.Cleanup(func() { s.DB.Close() })
	w.stores = append(w.stores, s)
	w.write(s)
}

func (w *world) write(s *member) {
	w.t.Helper()
	for range 1 + w.rng.IntN(12) {
		s.Commit()
	}
	w.once(s)
}

// once seals and ships all of a store.
func (w *world) once(s *member) {
	w.t.Helper()
	s.Seal()
	arc, err := archiver.New(w.options(s))
	testkit.Must(w.t, err)
	_, err = arc.Once(w.t.Context())
	testkit.Must(w.t, err)
	s.line, s.seq = s.DB.Stats().Timeline, s.Life.Seq
}

func (w *world) options(s *member) archiver.Options {
	state := filepath.Join(s.Dir, "receipts")
	testkit.Must(w.t, os.MkdirAll(state, 0o700))
	return archiver.Options{Store: os.DirFS(s.Dir), Receipts: state, Targets: []target.Target{w.v}}
}

func (w *world) backup(s *member) {
	w.t.Helper()
	w.write(s)
	b, err := backup.Create(w.t.Context(), w.a, backup.CreateOptions{Store: os.DirFS(s.Dir), Receipts: w.options(s).Receipts})
	testkit.Must(w.t, err)
	w.backups[b.ID] = maps.Clone(s.Now)
}

// restore restores a store to a random point, and goes on with the copy beside it.
func (w *world) restore(s *member) {
	w.t.Helper()
	k := w.rng.IntN(len(s.Moments))
	m := s.Moments[k]
	if len(w.stores) > 3 || m.Seq > s.seq {
		return
	}
	plan, err := history.At(w.t.Context(), w.a, s.UUID, history.Point{Timeline: s.line, Seq: m.Seq})
	testkit.Must(w.t, err)
	dir := filepath.Join(w.t.TempDir(), "restored")
	archivetest.RestoreTo(w.t, w.a, plan, dir)
	l := &archivetest.Life{T: w.t, Rand: w.rng, Dir: dir, Options: s.Options, Now: maps.Clone(m.Want), Seq: m.Seq, UUID: s.UUID, Moments: slices.Clone(s.Moments[:k+1])}
	l.Open()
	archivetest.Same(w.t, "a restored store", archivetest.Contents(w.t, l.DB), m.Want)
	w.add(l)
	w.write(s) // that both are tips
}

// prune gives up a store at times, and prunes with a random policy.
func (w *world) prune() {
	w.t.Helper()
	now := time.Now()
	o := prune.Options{Now: now, Grace: -1, Policy: prune.Policy{Keep: w.rng.IntN(4)}}
	if w.rng.IntN(3) > 0 { // from a random moment on
		all := w.stores[0].Moments
		o.Window = now.Sub(all[w.rng.IntN(len(all))].At)
	}
	if n := len(w.stores); n > 1 && w.rng.IntN(2) == 0 {
		w.write(w.stores[n-1])
		if w.rng.IntN(2) == 0 {
			w.backup(w.stores[n-1])
		}
		o.DropTips = []segment.Timeline{w.stores[n-1].line}
		w.stores = w.stores[:n-1]
	}
	for range 2 {
		rep, err := prune.Run(w.t.Context(), w.a, w.stores[0].UUID, o)
		testkit.Must(w.t, err)
		w.deleted += rep.Deleted.Segments
		for _, id := range rep.Backups {
			delete(w.backups, id)
		}
		o.DropTips = nil
		w.holds(o.Now.Add(-o.Window))
	}
}

// holds restores all that must be there.
func (w *world) holds(begin time.Time) {
	w.t.Helper()
	for id, want := range w.backups {
		w.is(history.Point{Backup: id}, w.stores[0].UUID, want)
	}
	for _, s := range w.stores {
		past := false
		for _, m := range slices.Backward(s.Moments) {
			if m.Seq > s.seq {
				continue
			}
			if !past {
				w.is(history.Point{Timeline: s.line, Seq: m.Seq}, s.UUID, m.Want)
			}
			past = past || !m.At.After(begin) // the state at the window's begin counts
		}
		w.is(history.Point{Timeline: s.line}, s.UUID, s.at(s.seq))
	}
}

// at returns what the store held after a number.
func (s *member) at(seq uint64) map[string]string {
	i := slices.IndexFunc(s.Moments, func(m archivetest.Moment) bool { return m.Seq == seq })
	return s.Moments[i].Want
}

// is restores a point, one in twenty in full, the others by reading in place.
func (w *world) is(p history.Point, uuid segment.UUID, want map[string]string) {
	w.t.Helper()
	// Nothing is remembered from before.
	a, err := archive.Open(w.t.Context(), w.v)
	testkit.Must(w.t, err)
	plan := archivetest.PlanOf(w.t, a, uuid, p)
	if w.rng.IntN(20) == 0 {
		dir := filepath.Join(w.t.TempDir(), "full")
		archivetest.RestoreTo(w.t, a, plan, dir)
		archivetest.OpensTo(w.t, p.String(), dir, want)
		testkit.Must(w.t, os.RemoveAll(dir))
		return
	}
	got := map[string]string{}
	for rec, err := range inplace.NewReader(w.t.Context(), a, plan, nil).Scan(segment.Range{}) {
		testkit.Must(w.t, err)
		got[string(rec.Key)] = string(rec.Value)
	}
	archivetest.Same(w.t, p.String(), got, want)
}

// TestPrunedArchivesWithCompactionRestoreToTheModel does so with a history that is
// written by hand, in which logs are replaced by outputs. Seeds 1 to 4, or as many
// as VARVE_PRUNE_SEEDS says.
func TestPrunedArchivesWithCompactionRestoreToTheModel(t *testing.T) {
	deleted, checked := 0, 0
	for seed := range pruneSeeds(4) {
		f := archivetest.NewForger(t)
		w := &world{t: t, rng: rand.New(rand.NewPCG(seed+1, 14)), v: f.V, a: f.V.Archive(t)}
		h := &compacting{f: f, next: 1, puts: map[segment.ID][]version{}, now: map[string]string{}}
		oldest := 0 // state that no prune has given up
		for n := range 24 {
			h.roll(w.rng, n > 0 && w.rng.IntN(3) == 0)
			if w.rng.IntN(4) > 0 {
				continue
			}
			o := prune.Options{Now: time.Unix(0, f.Time), Grace: -1}
			from := len(h.states) - 1
			if w.rng.IntN(3) > 0 {
				from = w.rng.IntN(len(h.states))
				o.Window = o.Now.Sub(h.states[from].At)
			}
			for range 2 {
				rep, err := prune.Run(t.Context(), w.a, f.UUID, o)
				testkit.Must(t, err)
				deleted += rep.Deleted.Segments
			}
			oldest = max(oldest, from)
			for _, m := range h.states[oldest:] {
				w.is(history.Point{Seq: m.Seq}, f.UUID, m.Want)
				checked++
			}
			w.is(history.Point{}, f.UUID, h.now)
		}
	}
	if deleted == 0 || checked == 0 {
		t.Errorf("%d segments were deleted, %d points restored: the test proves nothing", deleted, checked)
	}
	t.Logf("%d segments were deleted, %d points restored", deleted, checked)
}

// compacting is a history of logs and outputs.
type compacting struct {
	f      *archivetest.Forger
	next   segment.ID
	live   []segment.ID // in the order of their records
	puts   map[segment.ID][]version
	now    map[string]string
	states []archivetest.Moment
}

// version is a put in a segment; a deletion if it has no value.
type version struct {
	key, value string
	seq        uint64
}

// roll writes a log with random records, and among them an edit that replaces the
// oldest segments by an output.
func (h *compacting) roll(rng *rand.Rand, compact bool) {
	id := h.next
	h.next++
	begun := slices.Sorted(slices.Values(h.live))
	var ops []string
	seq, at := h.f.Seq, h.f.Time
	edit := rng.IntN(5)
	for i := range 1 + max(edit, rng.IntN(5)) {
		if compact && i == edit && len(h.live) > 1 {
			ops = append(ops, h.compact(1+rng.IntN(len(h.live))))
			at += 1e9
		}
		v := version{key: string(rune('a' + rng.IntN(5))), seq: seq}
		if rng.IntN(4) > 0 {
			v.value = fmt.Sprint(seq)
			ops = append(ops, v.key+"="+v.value)
			h.now[v.key] = v.value
		} else {
			ops = append(ops, "-"+v.key)
			delete(h.now, v.key)
		}
		h.puts[id] = append(h.puts[id], v)
		at += 1e9
		h.states = append(h.states, archivetest.Moment{Seq: seq, At: time.Unix(0, at), Want: maps.Clone(h.now)})
		seq++
	}
	h.f.Log(id, begun, ops...)
	h.live = append(h.live, id)
}

// compact replaces the oldest n segments by an output, and returns the edit.
func (h *compacting) compact(n int) string {
	newest := map[string]version{}
	for _, id := range h.live[:n] {
		for _, v := range h.puts[id] {
			newest[v.key] = v
		}
	}
	var retire []string
	for _, id := range slices.Sorted(slices.Values(h.live[:n])) {
		retire = append(retire, fmt.Sprint(uint64(id)))
	}
	id := h.next
	h.next++
	var items []string
	for _, key := range slices.Sorted(maps.Keys(newest)) {
		if v := newest[key]; v.value != "" {
			items = append(items, fmt.Sprintf("%s=%s@%d", key, v.value, v.seq))
			h.puts[id] = append(h.puts[id], v)
		}
	}
	h.f.Output(id, items...)
	h.live = append([]segment.ID{id}, h.live[n:]...)
	return fmt.Sprintf("edit %s>%d", strings.Join(retire, ","), id)
}
