package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/varve-db/varve/internal/crashfs"
)

// scanKeys returns the keys of a scan, in its order.
func scanKeys(t *testing.T, v reading, r Range) (keys []string) {
	t.Helper()
	s, err := v.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for o, err := range s.Scan(r) {
		if err != nil {
			t.Fatal(err)
		}
		if r.KeysOnly != (o.Value == nil) {
			t.Errorf("%+v: value %q", r, o.Value)
		}
		keys = append(keys, string(o.Key))
	}
	return keys
}

// matching is what a scan should find among sorted keys.
func matching(keys []string, r Range) (want []string) {
	for _, k := range keys {
		if k >= string(r.From) && (r.To == nil || k < string(r.To)) && strings.HasPrefix(k, string(r.Prefix)) {
			want = append(want, k)
		}
	}
	if r.Reverse {
		slices.Reverse(want)
	}
	if r.Limit > 0 && len(want) > r.Limit {
		want = want[:r.Limit]
	}
	return want
}

func TestScanRanges(t *testing.T) {
	db := mustOpen(t, crashfs.New(), Options{})
	keys := []string{"\x00", "\x00\x00", "a", "ab", "ab\x00", "abc", "b", "\xfe", "\xfe\xff", "\xff", "\xff\x00", "\xff\xff", "\xff\xff\xff", "\xff\xffz"}
	for i := range 1000 {
		keys = append(keys, fmt.Sprintf("many/%03d", i))
	}
	for _, k := range keys {
		mustPut(t, db, k, "value of "+k)
	}
	slices.Sort(keys)
	bounds := [][]byte{nil, {}, {0}, []byte("a"), []byte("ab"), []byte("ab\x00"), []byte("b"), []byte("many/500"), []byte("many/5005"), {0xfe, 0xff}, {0xff}, {0xff, 0xff}, {0xff, 0xff, 0xff, 0xff}}
	for _, from := range bounds {
		for _, to := range bounds {
			for _, prefix := range [][]byte{nil, {}, []byte("a"), []byte("ab"), []byte("many/"), []byte("many/99"), []byte("none"), {0xfe}, {0xff}, {0xff, 0xff}, {0}} {
				for _, limit := range []int{0, 1, 2, 17, 1000} {
					for how := range 4 {
						r := Range{From: from, To: to, Prefix: prefix, Limit: limit, Reverse: how&1 != 0, KeysOnly: how&2 != 0}
						if limit > 2 && how < 2 && from != nil { // fewer of the costly ones
							continue
						}
						got, want := scanKeys(t, db, r), matching(keys, r)
						if !slices.Equal(got, want) {
							t.Fatalf("%+v: %d keys %.100q; want %d %.100q", r, len(got), got, len(want), want)
						}
					}
				}
			}
		}
	}
	if n := len(scanKeys(t, db, Range{Limit: -1})); n != len(keys) {
		t.Errorf("a negative limit: %d keys", n)
	}
	for range db.Scan(Range{}) {
		break // ends the scan
	}
	for range db.Scan(Range{KeysOnly: true, Reverse: true}) {
		break
	}
	mustClose(t, db)
	n := 0
	for o, err := range db.Scan(Range{}) {
		if n++; !errors.Is(err, ErrClosed) || o.Key != nil {
			t.Errorf("scan after Close: %v, %v", o, err)
		}
	}
	if n != 1 {
		t.Errorf("scan after Close: %d steps", n)
	}
}

// scrawl writes over everything that a slice has room for.
func scrawl(b []byte) {
	b = b[:cap(b)]
	for i := range b {
		b[i] = '#'
	}
}

// What goes in is copied, what comes out belongs to the caller.
func TestSlicesAreTheCallers(t *testing.T) {
	for name, open := range map[string]func() *DB{
		"memory": func() *DB { return mustOpen(t, crashfs.New(), Options{}) },
		"memory, buffered": func() *DB {
			return mustOpen(t, crashfs.New(), Options{Durability: SyncEvery(1e9)})
		},
		"disk": func() *DB {
			db, err := Open(t.TempDir(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return db
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := open()
			defer mustClose(t, db)
			key, val, meta := []byte("key"), []byte("value"), []byte("meta")
			if err := db.PutObject(Object{Key: key, Value: val, Meta: meta, Content: Msgpack}); err != nil {
				t.Fatal(err)
			}
			scrawl(key)
			scrawl(val)
			scrawl(meta)
			s, err := db.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for range 3 {
				v, err := db.Get([]byte("key"))
				if err != nil || string(v) != "value" {
					t.Fatalf("get: %q, %v", v, err)
				}
				scrawl(v)
				for _, get := range []func([]byte) (Object, error){db.GetObject, s.GetObject} {
					o, err := get([]byte("key"))
					if err != nil || string(o.Key) != "key" || string(o.Value) != "value" || string(o.Meta) != "meta" || o.Content != Msgpack || o.Seq != 1 {
						t.Fatalf("get object: %v, %v", brief(o), err)
					}
					_ = append(o.Key, "overflow"...)
					_ = append(o.Meta, "overflow"...)
					if string(o.Value) != "value" || string(o.Meta) != "meta" {
						t.Errorf("to append to one slice changes another: %q %q", o.Meta, o.Value)
					}
					scrawl(o.Key)
					scrawl(o.Meta)
					scrawl(o.Value)
				}
			}
			if got := scanKeys(t, db, Range{}); !slices.Equal(got, []string{"key"}) {
				t.Errorf("keys: %q", got)
			}
		})
	}
}

func TestReadLends(t *testing.T) {
	db := mustOpen(t, crashfs.New(), Options{})
	defer mustClose(t, db)
	mustPut(t, db, "a", "1")
	mine := errors.New("mine")
	err := db.Read([]byte("a"), func(o Object) error {
		if string(o.Key) != "a" || string(o.Value) != "1" {
			t.Errorf("read: %v", brief(o))
		}
		return db.Read([]byte("a"), func(p Object) error { // within another
			if string(o.Value) != "1" || string(p.Value) != "1" {
				t.Errorf("read: %v, within: %v", brief(o), brief(p))
			}
			return mine
		})
	})
	if !errors.Is(err, mine) {
		t.Errorf("read: %v", err)
	}
	if err := db.Read([]byte("b"), func(Object) error { return mine }); !errors.Is(err, ErrNotFound) {
		t.Errorf("read of an absent key: %v", err)
	}
}

// TestClosedAndAbsent checks the errors of every method.
func TestClosedAndAbsent(t *testing.T) {
	fsys := crashfs.New()
	db := mustOpen(t, fsys, Options{})
	mustPut(t, db, "there", "1")
	eventually(t, "rest", func() bool { return db.isMarked() && db.hasSpare() })
	before := fsys.Ops()
	_, getErr := db.Get([]byte("absent"))
	_, objErr := db.GetObject([]byte("absent"))
	if !errors.Is(getErr, ErrNotFound) || !errors.Is(objErr, ErrNotFound) {
		t.Errorf("get: %v, %v", getErr, objErr)
	}
	if err := db.Delete([]byte("absent")); err != nil {
		t.Errorf("delete: %v", err)
	}
	if fsys.Ops() != before {
		t.Error("reads, or a delete of an absent key, wrote something")
	}
	mustClose(t, db)
	_, getErr = db.Get([]byte("there"))
	_, hasErr := db.Has([]byte("there"))
	_, snapErr := db.Snapshot()
	_, sealErr := db.Seal()
	var b Batch
	b.Put([]byte("k"), nil)
	for what, err := range map[string]error{
		"get": getErr, "has": hasErr, "snapshot": snapErr, "seal": sealErr, "sync": db.Sync(), "close": db.Close(),
		"put": db.Put([]byte("k"), nil), "delete": db.Delete([]byte("there")), "apply": db.Apply(&b), "apply nothing": db.Apply(&Batch{}),
		"read": db.Read([]byte("there"), func(Object) error { return nil }),
	} {
		if !errors.Is(err, ErrClosed) || strings.Count(err.Error(), ErrClosed.Error()) != 1 {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
	if s := db.Stats(); s.Objects != 0 || s.Failed != "" && s.Failed != ErrClosed.Error() {
		t.Errorf("stats after Close: %+v", s)
	}
}

// A reader over io/fs reads a folder, a copy in memory, and nothing else.
func TestReadOnlyOverAnyFileSystem(t *testing.T) {
	dir := t.TempDir()
	makeStore(t, dir, 30)
	inMemory := fstest.MapFS{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(dir + "/" + path)
		inMemory[path] = &fstest.MapFile{Data: bytes.Clone(b), Mode: 0o400}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, fsys := range map[string]fs.FS{"folder": os.DirFS(dir), "map": inMemory} {
		before := tree(t, dir)
		r, err := OpenReadOnlyFS(fsys, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := readAll(r); err != nil || len(got) != 30 {
			t.Errorf("%s: %d objects, %v", name, len(got), err)
		}
		if err := r.Refresh(); err != nil {
			t.Errorf("%s: refresh: %v", name, err)
		}
		mustClose(t, r)
		if err := r.Close(); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: second close: %v", name, err)
		}
		if err := r.Refresh(); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: refresh after Close: %v", name, err)
		}
		if !slices.Equal(before, tree(t, dir)) {
			t.Errorf("%s: a reader changed the folder", name)
		}
	}
	if _, err := OpenReadOnlyFS(fstest.MapFS{}, nil); !errors.Is(err, ErrNotStore) {
		t.Errorf("empty file system: %v", err)
	}
}

// A reader goes on when the log that its own names was never begun, and
// recovery put another in its place.
func TestReaderFollowsOverALogThatWasNeverBegun(t *testing.T) {
	noLeaks(t)
	fsys := crashfs.New()
	db := mustOpen(t, fsys, Options{SegmentSize: MinSegmentSize})
	mustPut(t, db, "k", value("k", 3000))
	eventually(t, "rest", func() bool { return db.isMarked() && db.hasSpare() })
	r, err := openReader(fsys, resolve(t, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	fsys.Fail(func(op crashfs.Op) error {
		if op.Kind == crashfs.OpWrite && strings.HasSuffix(op.Name, "2.open") {
			return errors.New("gone")
		}
		return nil
	})
	if err := db.Put([]byte("lost"), make([]byte, 3000)); !errors.Is(err, ErrPoisoned) {
		t.Fatal(err)
	}
	if err := db.Close(); err == nil {
		t.Error("close of a failed store: nil")
	}
	fsys.Fail(nil)
	db = mustOpen(t, fsys, Options{})
	mustPut(t, db, "new", "1")
	eventually(t, "the new object", func() bool {
		if err := r.Refresh(); err != nil {
			t.Fatal(err)
		}
		_, err := r.Get([]byte("new"))
		return err == nil
	})
	mustHold(t, r, map[string]string{"k": value("k", 3000), "new": "1"})
	mustClose(t, r)
	mustClose(t, db)
}

func TestAnUnknownContentKindIsRefused(t *testing.T) {
	db, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, db)
	var b Batch
	o := Object{Key: []byte("k"), Content: Msgpack + 1}
	if db.PutObject(o) == nil || b.PutObject(o) == nil || b.Len() != 0 {
		t.Error("taken")
	}
	if there, err := db.Has(o.Key); there || err != nil {
		t.Error(there, err)
	}
}

// TestSnapshotAfterClose calls everything of a snapshot that was closed, of a store that is
// open and of one that is not.
func TestSnapshotAfterClose(t *testing.T) {
	db, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Put([]byte("a"), []byte("1")); err != nil {
		t.Fatal(err)
	}
	closed, kept := mustSnapshot(t, db), mustSnapshot(t, db)
	closed.Close()
	defer kept.Close()
	for _, state := range []string{"open", "closed"} {
		calls := map[string]error{}
		_, calls["Get"] = closed.Get([]byte("a"))
		_, calls["GetObject"] = closed.GetObject([]byte("b"))
		_, calls["Has"] = closed.Has([]byte("a"))
		calls["Read"] = closed.Read([]byte("a"), func(Object) error { return nil })
		for _, r := range []Range{{}, {KeysOnly: true}, {Reverse: true}} {
			n := 0
			for _, err := range closed.Scan(r) {
				calls[fmt.Sprintf("Scan %+v", r)] = err
				n++
			}
			if n != 1 {
				t.Errorf("store %s: Scan %+v yields %d times", state, r, n)
			}
		}
		for call, err := range calls {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("store %s: %s: %v, want ErrClosed", state, call, err)
			}
		}
		closed.Close()
		if v, err := kept.Get([]byte("a")); err != nil || string(v) != "1" {
			t.Errorf("store %s: the other snapshot has %q, %v", state, v, err)
		}
		if state == "open" {
			mustClose(t, db)
		}
	}
}

func mustSnapshot(t *testing.T, db *DB) *Snapshot {
	t.Helper()
	s, err := db.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
