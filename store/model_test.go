package store

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
)

// TestModel does random operations on stores and on a map, and compares.
// VARVE_MODEL_OPS says how many; VARVE_MODEL_SEED begins with another seed.
func TestModel(t *testing.T) {
	ops := number(t, "VARVE_MODEL_OPS", 60_000)
	if testing.Short() {
		ops /= 10
	}
	const perStore = 3000
	seed := uint64(number(t, "VARVE_MODEL_SEED", 1))
	for done := 0; done < ops; done += perStore {
		m := newModel(t, seed)
		for m.n = range min(perStore, ops-done) {
			if err := m.step(); err != nil {
				t.Fatalf("seed %d, operation %d, %s: %v\nrun VARVE_MODEL_SEED=%d go test ./store -run TestModel", seed, m.n, m.what, err, seed)
			}
		}
		if err := m.end(); err != nil {
			t.Fatalf("seed %d, end: %v", seed, err)
		}
		seed++
	}
}

// model is a store and what it must hold.
type model struct {
	t    *testing.T
	rng  *rand.Rand
	opt  Options
	fs   *crashfs.FS
	db   *DB
	tr   *track
	now  contents // after all steps
	next uint64   // sequence number
	keys []string // that are drawn from

	shots   []*shot
	readers []*follower
	n       int
	what    string
}

// shot is a snapshot, and how many steps it has seen.
type shot struct {
	*Snapshot
	steps int
}

// follower is a reader beside the writer, and the newest sequence number that it showed.
type follower struct {
	*Reader
	last uint64
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, rng: seeded(seed), fs: crashfs.New(), tr: &track{}, now: contents{}, next: 1}
	m.opt.SegmentSize = []int64{4 << 10, 8 << 10, 64 << 10, 1 << 20}[m.rng.IntN(4)]
	if m.rng.IntN(2) == 0 {
		m.opt.Durability = SyncEvery(time.Duration(1+m.rng.IntN(20)) * time.Millisecond)
	}
	m.keys = someKeys(m.rng)
	m.db = mustOpen(t, m.fs, m.opt)
	return m
}

// someKeys draws keys that sort oddly: binary, empty tails, shared prefixes.
func someKeys(rng *rand.Rand) []string {
	var keys []string
	for range 20 + rng.IntN(200) {
		switch rng.IntN(5) {
		case 0:
			keys = append(keys, fmt.Sprintf("user:%011d", rng.IntN(1000)))
		case 1:
			keys = append(keys, strings.Repeat("p", 80+rng.IntN(20))+fmt.Sprint(rng.IntN(10)))
		case 2:
			keys = append(keys, string([]byte{byte(rng.IntN(3)), byte(rng.IntN(256)), 0}[:1+rng.IntN(3)]))
		case 3:
			keys = append(keys, strings.Repeat("\xff", 1+rng.IntN(4)))
		default:
			keys = append(keys, fmt.Sprint(rng.IntN(100)))
		}
	}
	return keys
}

func (m *model) key() string { return m.keys[m.rng.IntN(len(m.keys))] }

// operations is what a step can be, with how often in 1000.
var operations = []struct {
	name  string
	often int
	do    func(m *model) error
}{
	{"put", 380, (*model).put},
	{"delete", 140, (*model).delete},
	{"batch", 110, (*model).batch},
	{"get", 180, (*model).get},
	{"scan", 90, (*model).scan},
	{"snapshot", 20, (*model).snapshot},
	{"compare a snapshot", 20, (*model).compareShot},
	{"seal", 4, func(m *model) error { _, err := m.db.Seal(); return err }},
	{"sync", 10, func(m *model) error { return m.db.Sync() }},
	{"reopen", 4, (*model).reopen},
	{"kill", 4, (*model).kill},
	{"power cut", 4, (*model).crash},
	{"copy", 3, (*model).copy},
	{"lose the end of a closed log", 6, (*model).loseEnd},
	{"open a reader", 6, (*model).openReader},
	{"refresh a reader", 20, (*model).refresh},
	{"wait", 2, func(*model) error { time.Sleep(2 * time.Millisecond); return nil }},
}

func (m *model) step() error {
	n := m.rng.IntN(1003) // what the shares sum up to
	for _, op := range operations {
		if n -= op.often; n < 0 {
			m.what = op.name
			return op.do(m)
		}
	}
	return errors.New("the shares of the operations do not sum up")
}

// commit notes a step.
func (m *model) commit(changes []change1, err error) error {
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.obj != nil {
			c.obj.Seq = m.next
		}
		m.next++
	}
	m.tr.steps = append(m.tr.steps, step{changes: changes, seq: m.next - 1})
	m.now.apply(changes)
	return nil
}

func (m *model) object(key string) (*Object, Object) {
	o := someObject(fmt.Sprintf("%.8s", key), m.n, m.rng)
	in := *o
	in.Key = []byte(key)
	return o, in
}

func (m *model) put() error {
	key := m.key()
	o, in := m.object(key)
	return m.commit([]change1{{key, o}}, m.db.PutObject(in))
}

func (m *model) delete() error {
	key := m.key()
	err := m.db.Delete([]byte(key))
	if _, there := m.now[key]; !there {
		return err
	}
	return m.commit([]change1{{key, nil}}, err)
}

func (m *model) batch() error {
	var b Batch
	var changes []change1
	for range m.rng.IntN(6) {
		key := m.key()
		if m.rng.IntN(3) == 0 {
			b.Delete([]byte(key))
			changes = append(changes, change1{key, nil})
			continue
		}
		o, in := m.object(key)
		b.PutObject(in)
		changes = append(changes, change1{key, o})
	}
	err := m.db.Apply(&b)
	if len(changes) == 0 {
		return err
	}
	return m.commit(changes, err)
}

func (m *model) get() error {
	key := m.key()
	w, there := m.now[key]
	o, err := m.db.GetObject([]byte(key))
	has, hasErr := m.db.Has([]byte(key))
	if hasErr != nil || has != there {
		return fmt.Errorf("has %q: %v, %v", key, has, hasErr)
	}
	if !there {
		if !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("get %q: %s, %v; want it absent", key, brief(o), err)
		}
		return nil
	}
	if err != nil || !sameObject(w, o) || string(o.Key) != key {
		return fmt.Errorf("get %q: %s, %v; want %s", key, brief(o), err, brief(w))
	}
	return nil
}

// scan compares a scan with random options.
func (m *model) scan() error {
	var r Range
	if m.rng.IntN(2) == 0 {
		r.From = []byte(m.key())
	}
	if m.rng.IntN(2) == 0 {
		r.To = []byte(m.key())
	}
	if m.rng.IntN(3) == 0 {
		k := m.key()
		r.Prefix = []byte(k[:m.rng.IntN(len(k)+1)])
	}
	r.Reverse, r.KeysOnly = m.rng.IntN(2) == 0, m.rng.IntN(3) == 0
	if m.rng.IntN(3) == 0 {
		r.Limit = 1 + m.rng.IntN(20)
	}
	return compareScan(m.db.Scan, r, m.now)
}

// compareScan does one scan and tells how it differs from the contents.
func compareScan(do func(Range) iter.Seq2[Object, error], r Range, c contents) error {
	want := slices.DeleteFunc(slices.Sorted(maps.Keys(c)), func(k string) bool {
		return k < string(r.From) || r.To != nil && k >= string(r.To) || !strings.HasPrefix(k, string(r.Prefix))
	})
	if r.Reverse {
		slices.Reverse(want)
	}
	if r.Limit > 0 {
		want = want[:min(len(want), r.Limit)]
	}
	n := 0
	for o, err := range do(r) {
		if err != nil || n == len(want) || string(o.Key) != want[n] {
			return fmt.Errorf("scan %+v: %q, %v at %d of %q", r, o.Key, err, n, want)
		}
		if w := c[want[n]]; !r.KeysOnly && (!sameObject(w, o) || !bytes.Equal(o.Key, []byte(want[n]))) {
			return fmt.Errorf("scan %+v: %q is %s; want %s", r, o.Key, brief(o), brief(w))
		}
		n++
	}
	if n != len(want) {
		return fmt.Errorf("scan %+v: %d objects, want %d", r, n, len(want))
	}
	return nil
}

func (m *model) snapshot() error {
	s, err := m.db.Snapshot()
	if err == nil {
		m.shots = append(m.shots, &shot{s, len(m.tr.steps)})
	}
	return err
}

// compareShot compares a snapshot with what was there when it was made.
func (m *model) compareShot() error {
	if len(m.shots) == 0 {
		return nil
	}
	i := m.rng.IntN(len(m.shots))
	s := m.shots[i]
	m.shots = slices.Delete(m.shots, i, i+1)
	defer s.Close()
	c := m.tr.after(s.steps)
	if s.Len() != len(c) {
		return fmt.Errorf("%d objects, want %d", s.Len(), len(c))
	}
	return compareScan(s.Scan, Range{}, c)
}

// reopen closes the store and opens it again.
func (m *model) reopen() error {
	if err := m.db.Close(); err != nil {
		return err
	}
	return m.open(m.fs, true)
}

// open opens the store on fsys. Steps that are not there any more are forgotten, if
// they may be.
func (m *model) open(fsys *crashfs.FS, clean bool) error {
	db, err := openFS(fsys, resolve(m.t, m.opt))
	if err != nil {
		return err
	}
	m.db, m.fs = db, fsys
	rep := db.OpenReport()
	got, err := readAll(db)
	if err != nil {
		return err
	}
	n, err := m.at(rep.LastSeq)
	if err != nil {
		return err
	}
	if n < len(m.tr.steps) && (clean || m.opt.Durability == SyncAlways) {
		return fmt.Errorf("%d of %d steps are there", n, len(m.tr.steps))
	}
	if clean && !rep.Clean {
		return fmt.Errorf("report: %+v", rep)
	}
	m.now, m.next = maps.Clone(m.tr.after(n)), rep.LastSeq+1
	if n < len(m.tr.steps) {
		m.forget(n)
	}
	return diff(m.now, got)
}

// forget takes back the steps after the first n, and lets go of who saw them.
func (m *model) forget(n int) {
	for _, s := range m.shots {
		s.Close()
	}
	m.shots, m.tr.steps = nil, m.tr.steps[:n]
	m.tr.after(0)
}

// at returns how many steps there are up to a sequence number, which must end one.
func (m *model) at(seq uint64) (int, error) {
	n := sort.Search(len(m.tr.steps), func(i int) bool { return m.tr.steps[i].seq > seq })
	if n == 0 && seq != 0 || n > 0 && m.tr.steps[n-1].seq != seq {
		return 0, fmt.Errorf("sequence number %d is in the midst of a batch, or was never given", seq)
	}
	return n, nil
}

// leave goes on with another file system: the readers of this one are done.
func (m *model) leave(fsys *crashfs.FS) error {
	for _, r := range m.readers {
		r.Close()
	}
	m.readers = nil
	m.db.Close()
	return m.open(fsys, false)
}

func (m *model) kill() error { return m.leave(m.fs.Kill()) }

func (m *model) crash() error {
	return m.leave(m.fs.Crash(m.rng.Uint64(), crashfs.Kinds[m.rng.IntN(len(crashfs.Kinds))]))
}

func (m *model) copy() error {
	if err := m.db.Close(); err != nil {
		return err
	}
	return m.leave(m.fs.Copy())
}

func (m *model) openReader() error {
	if len(m.readers) == 3 {
		m.readers[0].Close()
		m.readers = m.readers[1:]
	}
	r, err := openReader(m.fs, resolve(m.t, m.opt))
	if err != nil {
		return err
	}
	f := &follower{Reader: r}
	m.readers = append(m.readers, f)
	return m.compareReader(f)
}

func (m *model) refresh() error {
	if len(m.readers) == 0 {
		return nil
	}
	f := m.readers[m.rng.IntN(len(m.readers))]
	if err := f.Refresh(); err != nil {
		return err
	}
	return m.compareReader(f)
}

// compareReader makes sure that a reader shows a state of the store that is no
// older than what it showed before.
func (m *model) compareReader(f *follower) error {
	last := f.Stats().LastSeq
	if last < f.last {
		return fmt.Errorf("a reader showed %d, and then %d", f.last, last)
	}
	f.last = last
	n, err := m.at(last)
	if err != nil {
		return err
	}
	got, err := readAll(f)
	if err != nil {
		return err
	}
	return diff(m.tr.after(n), got)
}

func (m *model) end() error {
	for len(m.shots) > 0 {
		if err := m.compareShot(); err != nil {
			return err
		}
	}
	if err := m.reopen(); err != nil {
		return err
	}
	for _, r := range m.readers {
		if err := r.Refresh(); err != nil {
			return err
		}
		if err := m.compareReader(r); err != nil {
			return err
		}
		r.Close()
	}
	return m.db.Close()
}
