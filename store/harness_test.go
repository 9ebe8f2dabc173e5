package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// contents is what a store holds: objects by key. Key is left out of them.
type contents map[string]Object

// change1 is a change of one key; a nil obj is a deletion.
type change1 struct {
	key string
	obj *Object
}

// step is one commit of a track: what it changed, and what is known of it.
type step struct {
	changes []change1
	seq     uint64 // the sequence number of its last record; zero: not known
	acked   int    // the operation after which it is promised to survive
}

// never is the operation of an acknowledgement that was not given.
const never = math.MaxInt

// track is what one goroutine did to keys that are its alone, in order. The store
// it began with is in base.
type track struct {
	prefix string
	base   contents
	steps  []step

	at    int // state is that after the first at steps
	state contents
}

// after returns the contents after the first n steps. They must not be changed.
func (t *track) after(n int) contents {
	if t.state == nil || n < t.at {
		t.at, t.state = 0, maps.Clone(t.base)
		if t.state == nil {
			t.state = contents{}
		}
	}
	for ; t.at < n; t.at++ {
		t.state.apply(t.steps[t.at].changes)
	}
	return t.state
}

func (c contents) apply(changes []change1) {
	for _, ch := range changes {
		if ch.obj == nil {
			delete(c, ch.key)
		} else {
			c[ch.key] = *ch.obj
		}
	}
}

// ack notes that all steps so far survive any cut at or after operation op.
func (t *track) ack(op int) {
	for i := len(t.steps) - 1; i >= 0 && t.steps[i].acked == never; i-- {
		t.steps[i].acked = op
	}
}

// bounds returns how many of the steps a store cut off after operation op has,
// if the newest sequence number in it is last: at least lo, at most hi.
func (t *track) bounds(op int, last uint64) (lo, hi int) {
	hi = len(t.steps)
	for i, s := range t.steps {
		if s.acked <= op || s.seq != 0 && s.seq <= last {
			lo = i + 1
		}
		if s.seq > last {
			hi = min(hi, i)
		}
	}
	return lo, hi
}

// history is all that was done to a store, and what must be found again.
type history struct {
	mu     sync.Mutex // guards the steps while the goroutines are at work
	tracks []*track
}

// all makes a cut that comes after every operation.
const all = math.MaxInt - 1

// check tells whether a store that was cut off after operation op, and holds
// got with last as its newest sequence number, is a prefix of the history that
// holds all that was acknowledged.
func (h *history) check(op int, got contents, last uint64) error {
	left := len(got)
	for _, t := range h.tracks {
		mine := contents{}
		for k, o := range got {
			if strings.HasPrefix(k, t.prefix) {
				mine[k] = o
			}
		}
		left -= len(mine)
		if err := t.check(op, mine, last); err != nil {
			return err
		}
	}
	if left != 0 {
		return fmt.Errorf("%d objects that nobody put", left)
	}
	return nil
}

func (t *track) check(op int, got contents, last uint64) error {
	lo, hi := t.bounds(op, last)
	if lo > hi {
		return fmt.Errorf("track %s: the newest sequence number is %d: %d steps are in it, of %d that were acknowledged", t.prefix, last, hi, lo)
	}
	var err error
	for n := lo; n <= hi; n++ {
		if err = diff(t.after(n), got); err == nil {
			return nil
		}
	}
	for n := range len(t.steps) + 1 {
		if diff(t.after(n), got) == nil {
			return fmt.Errorf("track %s holds the first %d steps; want %d to %d (newest sequence number %d)", t.prefix, n, lo, hi, last)
		}
	}
	return fmt.Errorf("track %s is no prefix of what was written; beside the first %d steps: %w", t.prefix, hi, err)
}

// diff returns the first difference, by key, of two contents.
func diff(want, got contents) error {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		g, there := got[k]
		if w := want[k]; !there {
			return fmt.Errorf("%s is lost; want %s", k, brief(w))
		} else if !sameObject(w, g) {
			return fmt.Errorf("%s is %s; want %s", k, brief(g), brief(w))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, there := want[k]; !there {
			return fmt.Errorf("%s is %s; want it absent", k, brief(got[k]))
		}
	}
	return nil
}

// sameObject compares two objects. A sequence number of zero is not known.
func sameObject(w, g Object) bool {
	return bytes.Equal(w.Value, g.Value) && bytes.Equal(w.Meta, g.Meta) && w.Content == g.Content &&
		(w.Seq == g.Seq || w.Seq == 0 || g.Seq == 0)
}

func brief(o Object) string {
	return fmt.Sprintf("%.24q (%d bytes, seq %d)", o.Value, len(o.Value), o.Seq)
}

// reading is what DB and Reader have in common.
type reading interface {
	finder
	Snapshot() (*Snapshot, error)
	Get(key []byte) ([]byte, error)
	OpenReport() OpenReport
}

// readAll returns the contents by a scan, and makes sure that scans forward and
// backward, keys alone, gets and the report agree with it.
func readAll(r reading) (contents, error) {
	s, err := r.Snapshot()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	got := contents{}
	var keys []string
	for o, err := range s.Scan(Range{}) {
		if err != nil {
			return nil, fmt.Errorf("scan, %s: %w", o.Key, err)
		}
		k := string(o.Key)
		if len(keys) > 0 && keys[len(keys)-1] >= k {
			return nil, fmt.Errorf("scan: %s after %s", k, keys[len(keys)-1])
		}
		keys = append(keys, k)
		got[k] = Object{Value: bytes.Clone(o.Value), Meta: bytes.Clone(o.Meta), Content: o.Content, Seq: o.Seq}
		if v, err := r.Get(o.Key); err != nil || !bytes.Equal(v, o.Value) {
			return nil, fmt.Errorf("get %s: %.24q, %w; the scan has %.24q", k, v, err, o.Value)
		}
	}
	n := len(keys)
	for o, err := range s.Scan(Range{Reverse: true, KeysOnly: true}) {
		if n--; err != nil || n < 0 || keys[n] != string(o.Key) {
			return nil, fmt.Errorf("backward scan: %s, %v", o.Key, err)
		}
	}
	if n != 0 || s.Len() != len(keys) {
		return nil, fmt.Errorf("scans of %d objects and %d; the snapshot has %d", len(keys), len(keys)-n, s.Len())
	}
	return got, nil
}

// resolve is Options.resolved for tests.
func resolve(t testing.TB, o Options) Options {
	t.Helper()
	r, err := o.resolved()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// mustOpen opens a store for writing.
func mustOpen(t testing.TB, fsys vfs.FS, o Options) *DB {
	t.Helper()
	db, err := openFS(fsys, resolve(t, o))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func mustClose(t testing.TB, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustPut(t testing.TB, db *DB, key, value string) {
	t.Helper()
	if err := db.Put([]byte(key), []byte(value)); err != nil {
		t.Fatal(err)
	}
}

// mustHold fails the test unless the store holds exactly want.
func mustHold(t testing.TB, r reading, want map[string]string) {
	t.Helper()
	got, err := readAll(r)
	if err != nil {
		t.Fatal(err)
	}
	c := contents{}
	for k, v := range want {
		c[k] = Object{Value: []byte(v)}
	}
	if err := diff(c, got); err != nil {
		t.Fatal(err)
	}
}

// files returns every file's bytes, but for the lock's.
func files(fsys *crashfs.FS) map[string]string {
	m := map[string]string{}
	for _, name := range fsys.Names() {
		if name != segment.LockName {
			m[name] = string(fsys.Bytes(name))
		}
	}
	return m
}

// keep writes a file system's files to the test's artifacts, to be looked at
// with varve describe (go test -artifacts).
func keep(t testing.TB, fsys *crashfs.FS) string {
	dir := t.ArtifactDir()
	for _, name := range fsys.Names() {
		if err := os.WriteFile(filepath.Join(dir, name), fsys.Bytes(name), 0o600); err != nil {
			t.Log(err)
		}
	}
	return dir
}

// number returns an environment variable, or what it is if it is not set.
func number(t testing.TB, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// seeded returns the random numbers of a seed.
func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func isDamage(err error) bool {
	_, ok := errors.AsType[*CorruptError](err)
	return ok
}
