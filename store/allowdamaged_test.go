package store

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/segment"
)

// hurt is a store of several sealed segments, one of which is damaged.
type hurt struct {
	fs     *crashfs.FS
	model  map[string]string      // the objects
	newest map[string]segment.Ref // where the newest record of each key is
	refs   []segment.Ref
}

// newHurt writes a store of six segments and a log, in which keys are written,
// written again and deleted.
func newHurt(t *testing.T, seed uint64) *hurt {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	h := &hurt{fs: crashfs.New(), model: map[string]string{}, newest: map[string]segment.Ref{}}
	db, err := openFS(h.fs, resolve(t, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		ref := db.Stats().Segments
		here := ref[len(ref)-1].Segment
		h.refs = append(h.refs, here)
		for j := range 12 {
			key := fmt.Sprintf("key %02d", rng.IntN(40))
			_, there := h.model[key]
			if rng.IntN(4) == 0 && there {
				delete(h.model, key)
				err = db.Delete([]byte(key))
			} else {
				h.model[key] = fmt.Sprintf("value %d %d of %s", i, j, key)
				err = db.Put([]byte(key), []byte(h.model[key]))
			}
			h.newest[key] = here
			if err != nil {
				t.Fatal(err)
			}
		}
		if i == 6 {
			break
		}
		if _, err := db.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, db)
	return h
}

// getter is what a store answers: a DB, a Reader or a Snapshot.
type getter interface {
	Get(key []byte) ([]byte, error)
	Has(key []byte) (bool, error)
}

// check reads every key, those that never were included: an answer is right or a
// CorruptError, and refused are only keys for which doubtful says so.
func (h *hurt) check(t *testing.T, r getter, doubtful func(key string) bool) (refused int) {
	t.Helper()
	for i := range 45 {
		key := fmt.Sprintf("key %02d", i)
		want, there := h.model[key]
		got, err := r.Get([]byte(key))
		has, hasErr := r.Has([]byte(key))
		_, corrupt := segment.AsCorrupt(err)
		switch {
		case corrupt:
			refused++
			if !doubtful(key) {
				t.Errorf("%s is refused: %v", key, err)
			}
			if hasErr == nil && has != there {
				t.Errorf("Has(%s) is %v", key, has)
			}
		case there && (err != nil || string(got) != want), !there && !errors.Is(err, ErrNotFound):
			t.Errorf("%s: %q, %v; want %q, %v", key, got, err, want, there)
		case hasErr != nil || has != there:
			t.Errorf("Has(%s): %v, %v; want %v", key, has, hasErr, there)
		}
	}
	return refused
}

// TestAllowDamagedReadsAllElse damages each sealed segment in each way, and reads
// all keys from a reader, a writer and its snapshot.
func TestAllowDamagedReadsAllElse(t *testing.T) {
	const seed = 11
	whole := newHurt(t, seed)
	for _, c := range []struct {
		name    string
		hurt    func(b []byte) []byte // nil: the file is removed
		healed  bool                  // all can be read all the same
		partial bool                  // only what is damaged itself cannot
	}{
		{name: "missing"},
		{name: "header", hurt: func(b []byte) []byte { b[20] ^= 1; return b }, healed: true},
		{name: "header length", hurt: func(b []byte) []byte { b[12] ^= 0x40; return b }, healed: true},
		{name: "trailer", hurt: func(b []byte) []byte { b[len(b)-20] ^= 1; return b }, healed: true},
		{name: "table block", hurt: func(b []byte) []byte { b[len(b)-230] ^= 1; return b }, healed: true},
		{name: "cut in the footer", hurt: func(b []byte) []byte { return b[:len(b)-100] }, healed: true},
		{name: "cut in the records", hurt: func(b []byte) []byte { return b[:len(b)/3] }},
		{name: "table and record", hurt: func(b []byte) []byte { b[len(b)-230] ^= 1; b[400] ^= 1; return b }},
		{name: "record", hurt: func(b []byte) []byte { b[400] ^= 1; return b }, partial: true},
	} {
		for _, ref := range whole.refs[:6] {
			t.Run(fmt.Sprintf("%s/%d", c.name, ref.ID), func(t *testing.T) {
				h := *whole
				h.fs = whole.fs.Copy()
				name := sealName(ref.ID)
				if c.hurt == nil {
					if err := h.fs.Remove(name); err != nil {
						t.Fatal(err)
					}
				} else {
					h.fs.SetBytes(name, c.hurt(bytes.Clone(h.fs.Bytes(name))))
				}
				doubtful := func(key string) bool {
					n, ever := h.newest[key]
					if c.healed {
						return false
					}
					if c.partial {
						return n == ref
					}
					return !ever || n.ID <= ref.ID
				}
				opt := resolve(t, Options{AllowDamaged: true})
				if !c.partial {
					if _, err := openReader(h.fs, resolve(t, Options{})); err == nil {
						t.Fatal("opened without AllowDamaged")
					}
				}
				r, err := openReader(h.fs, opt)
				if err != nil {
					t.Fatal(err)
				}
				n := h.check(t, r, doubtful)
				if (n == 0) != c.healed && !c.partial {
					t.Errorf("%d keys are refused", n)
				}
				r.Close()
				h.scans(t, opt, c.healed, c.partial, doubtful)
				h.writes(t, opt, doubtful)
			})
		}
	}
}

// scans scans the store: what is yielded is right, and where objects may be missing
// the scan ends with an error.
func (h *hurt) scans(t *testing.T, opt Options, healed, partial bool, doubtful func(string) bool) {
	t.Helper()
	for _, keysOnly := range []bool{false, true} {
		r, err := openReader(h.fs, opt)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		var last error
		for o, err := range r.Scan(Range{KeysOnly: keysOnly}) {
			last = err
			if err != nil {
				continue
			}
			seen[string(o.Key)] = true
			if want, there := h.model[string(o.Key)]; !there || !keysOnly && string(o.Value) != want {
				t.Errorf("scan: %q is %q, want %q", o.Key, o.Value, want)
			}
		}
		if _, corrupt := segment.AsCorrupt(last); corrupt == (healed || partial) && !(partial && last != nil) {
			t.Errorf("the scan ends with %v", last)
		}
		for key := range h.model {
			if !seen[key] && !doubtful(key) {
				t.Errorf("the scan lacks %s", key)
			}
		}
		r.Close()
	}
}

// writes opens the store for writing: keys that are written or deleted again are
// known again.
func (h *hurt) writes(t *testing.T, opt Options, doubtful func(string) bool) {
	t.Helper()
	db, err := openFS(h.fs, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, db)
	h.check(t, db, doubtful)
	known := map[string]bool{}
	defer func(m map[string]string) { h.model = m }(h.model)
	model := map[string]string{}
	for k, v := range h.model {
		model[k] = v
	}
	h.model = model
	for i := range 20 {
		key := fmt.Sprintf("key %02d", 2*i)
		known[key] = true
		if i%2 == 0 {
			err = db.Delete([]byte(key))
			delete(model, key)
		} else {
			model[key] = "again"
			err = db.Put([]byte(key), []byte("again"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	now := func(key string) bool { return !known[key] && doubtful(key) }
	h.check(t, db, now)
	s, err := db.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h.check(t, s, now)
}

// TestAllowDamagedNewestLog does not help where the newest log is damaged: what is
// in it would be lost in silence.
func TestAllowDamagedNewestLog(t *testing.T) {
	h := newHurt(t, 12)
	s, err := integrity.Survey(h.fs)
	if err != nil {
		t.Fatal(err)
	}
	e := s.NewestLog()
	for _, at := range []int64{30, e.Size / 2} {
		c := h.fs.Copy()
		b := slices.Clone(c.Bytes(e.Name))
		b[at] ^= 1
		c.SetBytes(e.Name, b)
		if _, err := openReader(c, resolve(t, Options{AllowDamaged: true})); !segment.IsCorrupt(err) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

// TestAllowDamagedWrongTable opens, at level Full, a store with a segment whose table is
// sound by its checksums and not that of its records: it tells nothing.
func TestAllowDamagedWrongTable(t *testing.T) {
	h := newHurt(t, 13)
	ref := h.refs[2]
	name := sealName(ref.ID)
	h.fs.SetBytes(name, otherRecords(t, h.fs, name))
	r, err := openReader(h.fs, resolve(t, Options{AllowDamaged: true, Integrity: integrity.Full}))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if f := r.OpenReport().Findings; len(f) == 0 || f[0].Kind != integrity.WrongTable {
		t.Fatalf("findings: %+v", f)
	}
	doubtful := func(key string) bool {
		n, ever := h.newest[key]
		return !ever || n.ID <= ref.ID
	}
	if h.check(t, r, doubtful) == 0 {
		t.Error("no key is refused")
	}
	if _, err := r.Get([]byte("new 00")); !segment.IsCorrupt(err) { // which only the records know
		t.Errorf("a key that the table lacks: %v", err)
	}
}

// otherRecords returns the bytes of a sealed segment with other keys in its records, of the
// same lengths, and the footer that it had.
func otherRecords(t *testing.T, fsys *crashfs.FS, name string) []byte {
	t.Helper()
	b := bytes.Clone(fsys.Bytes(name))
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.OpenFooter()
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range r.Records(segment.Span{To: f.RecordsEnd, Depth: segment.WithValues}) {
		if err != nil {
			t.Fatal(err)
		}
		c := *rec
		if c.Kind == segment.Put {
			c.Key = append([]byte("new"), rec.Key[3:]...)
		}
		copy(b[rec.Offset:], r.ChecksumSeed().AppendRecord(append([]byte(nil), b[:rec.Offset]...), rec.Offset, &c)[rec.Offset:])
	}
	return b
}

// TestAllowDamagedIsFollowed has a reader follow a writer, both of a store that lacks a
// segment: what is written or deleted again is known again to both, the rest is not, and
// snapshots stay as they were. A scan of any range ends with an error, or has it all.
func TestAllowDamagedIsFollowed(t *testing.T) {
	const seed = 14
	whole := newHurt(t, seed)
	for _, ref := range whole.refs[:6] {
		h := *whole
		h.fs, h.model = whole.fs.Copy(), maps.Clone(whole.model)
		if err := h.fs.Remove(sealName(ref.ID)); err != nil {
			t.Fatal(err)
		}
		opt := resolve(t, Options{AllowDamaged: true})
		db, err := openFS(h.fs, opt)
		if err != nil {
			t.Fatal(err)
		}
		r, err := openReader(h.fs, opt)
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		now := func(key string) bool {
			n, ever := h.newest[key]
			return !known[key] && (!ever || n.ID <= ref.ID)
		}
		rng := rand.New(rand.NewPCG(seed, uint64(ref.ID)))
		for range 4 {
			before := h
			before.model = maps.Clone(h.model)
			was := maps.Clone(known)
			s, err := db.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			for range 8 {
				key := fmt.Sprintf("key %02d", rng.IntN(40))
				if known[key] = true; rng.IntN(2) == 0 {
					delete(h.model, key)
					err = db.Delete([]byte(key))
				} else {
					h.model[key] = fmt.Sprint("anew ", rng.Uint32())
					err = db.Put([]byte(key), []byte(h.model[key]))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if _, err := db.Seal(); err != nil { // so that all of it can be followed
				t.Fatal(err)
			}
			idx := r.idx
			if err := r.Refresh(); err != nil {
				t.Fatal(err)
			}
			if r.idx != idx {
				t.Fatal("the index was built anew")
			}
			h.check(t, db, now)
			h.check(t, r, now)
			before.check(t, s, func(key string) bool { n, ever := h.newest[key]; return !was[key] && (!ever || n.ID <= ref.ID) })
			s.Close()
			h.ranges(t, r.Scan, rng)
		}
		mustClose(t, r)
		mustClose(t, db)
	}
}

// ranges scans parts of the store: what a scan yields is right, and one that does not end with an
// error, or yield one, has all there is.
func (h *hurt) ranges(t *testing.T, scan func(Range) iter.Seq2[Object, error], rng *rand.Rand) {
	t.Helper()
	for range 20 {
		rg := Range{Reverse: rng.IntN(2) == 0, Limit: rng.IntN(3) * 5, KeysOnly: rng.IntN(2) == 0}
		if rng.IntN(2) == 0 {
			rg.Prefix = fmt.Appendf(nil, "key %d", rng.IntN(4))
		} else {
			rg.From = fmt.Appendf(nil, "key %02d", rng.IntN(40))
		}
		n, failed := 0, false
		for o, err := range scan(rg) {
			if failed = failed || err != nil; err != nil {
				continue
			}
			n++
			if want, there := h.model[string(o.Key)]; !there || !rg.KeysOnly && string(o.Value) != want {
				t.Errorf("%+v: %q is %q, want %q", rg, o.Key, o.Value, want)
			}
		}
		want := 0
		for key := range h.model {
			if strings.HasPrefix(key, string(rg.Prefix)) && key >= string(rg.From) {
				want++
			}
		}
		if rg.Limit > 0 {
			want = min(want, rg.Limit)
		}
		if !failed && n != want {
			t.Errorf("%+v: %d objects and no error, want %d", rg, n, want)
		}
	}
}
