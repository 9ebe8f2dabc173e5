package inplace_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/inplace"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// TestOneObjectReadsLittle reads single objects from an archive and counts what that
// takes: for the newest, the footers of a few segments; for the oldest, those of all.
func TestOneObjectReadsLittle(t *testing.T) {
	v, dir := archivetest.NewVault(), filepath.Join(t.TempDir(), "store")
	db, err := store.Open(dir, &store.Options{SegmentSize: 1 << 20, Durability: store.SyncEvery(1e9)})
	testkit.Must(t, err)
	value := []byte(strings.Repeat("v", 1000))
	const n = 24000
	for i := range n {
		testkit.Must(t, db.Put(fmt.Appendf(nil, "key/%06d", i), value))
	}
	_, err = db.Seal()
	testkit.Must(t, err)
	testkit.Must(t, db.Close())
	v.Ship(t, dir)
	a, segs, total := v.Archive(t), len(v.Names()), int64(0)
	for _, name := range v.Names() {
		total += int64(len(v.Objects[name]))
	}
	h, _, err := segment.ParseHeader(v.Objects[v.Names()[0]])
	testkit.Must(t, err)
	for _, c := range []struct {
		key      int
		requests int   // at most
		bytes    int64 // likewise
	}{
		{n - 1, 30, 1 << 20},
		{1, 20 + 4*segs, int64(segs) * 128 << 10},
	} {
		v.Reset()
		r := inplace.NewReader(t.Context(), a, archivetest.PlanOf(t, a, h.UUID, history.Point{}), nil)
		rec, err := r.Get(fmt.Appendf(nil, "key/%06d", c.key))
		if err != nil || string(rec.Value) != string(value) {
			t.Fatalf("key %d: %v", c.key, err)
		}
		t.Logf("key %d of %d segments, %d bytes: %d requests, %d bytes", c.key, segs, total, v.Requests, v.Bytes)
		if v.Requests > c.requests || v.Bytes > c.bytes {
			t.Errorf("key %d: %d requests, want at most %d; %d bytes, want %d", c.key, v.Requests, c.requests, v.Bytes, c.bytes)
		}
		again := v.Requests
		if _, err := r.Get(fmt.Appendf(nil, "key/%06d", c.key)); err != nil || v.Requests != again {
			t.Errorf("key %d: a second get made %d requests: %v", c.key, v.Requests-again, err)
		}
	}
	r := inplace.NewReader(t.Context(), a, archivetest.PlanOf(t, a, h.UUID, history.Point{}), &inplace.Options{CacheBytes: 1 << 18})
	for _, c := range []struct {
		rg   segment.Range
		want string
	}{
		{segment.Range{Prefix: []byte("key/00012"), Limit: 3}, "key/000120 key/000121 key/000122 "},
		{segment.Range{Prefix: []byte("key/00012"), Limit: 2, Reverse: true}, "key/000129 key/000128 "},
		{segment.Range{From: []byte("key/0100005"), To: []byte("key/010003")}, "key/010001 key/010002 "},
		{segment.Range{From: []byte("key/023998"), KeysOnly: true}, "key/023998 key/023999 "},
		{segment.Range{Prefix: []byte("\xff\xff")}, ""},
	} {
		got := ""
		for rec, err := range r.Scan(c.rg) {
			testkit.Must(t, err)
			if len(rec.Value) != 1000 && !c.rg.KeysOnly {
				t.Fatalf("%q has %d bytes", rec.Key, len(rec.Value))
			}
			got += string(rec.Key) + " "
		}
		if got != c.want {
			t.Errorf("%+v: %s, want %s", c.rg, got, c.want)
		}
	}
}

// TestDamageIsNoValue flips a bit of a record in the archive: the object is an
// error, the others are read.
func TestDamageIsNoValue(t *testing.T) {
	f, states := archivetest.Compacted(t)
	name := archivetest.ObjectOf(f.UUID, f.Ref(5))
	b := f.V.Objects[name]
	b[strings.Index(string(b), "e7")+1] ^= 1
	a := f.V.Archive(t)
	r := inplace.NewReader(t.Context(), a, archivetest.PlanOf(t, a, f.UUID, history.Point{}), nil)
	_, err := r.Get([]byte("e"))
	if c, ok := errors.AsType[*segment.CorruptError](err); !ok || !strings.Contains(c.File, name) {
		t.Errorf("get: %v", err)
	}
	got, bad := map[string]string{}, 0
	for rec, err := range r.Scan(segment.Range{}) {
		if _, ok := errors.AsType[*segment.CorruptError](err); ok && string(rec.Key) == "e" {
			bad++
			continue
		}
		testkit.Must(t, err)
		got[string(rec.Key)] = string(rec.Value)
	}
	want := states[9]
	delete(want, "e")
	archivetest.Same(t, "the others", got, want)
	if bad != 1 {
		t.Errorf("%d objects are damaged", bad)
	}
}
