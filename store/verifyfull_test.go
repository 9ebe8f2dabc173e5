package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/varve-db/varve/index"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// TestFullFindsDamageInASealedSegment flips bytes all over the sealed segments: only
// level Full meets them when the store is opened, and names segment and file.
func TestFullFindsDamageInASealedSegment(t *testing.T) {
	h := newHurt(t, 21)
	rng := rand.New(rand.NewPCG(21, 2))
	for _, ref := range h.refs[:6] {
		name := sealName(ref.ID)
		for range 30 {
			c := h.fs.Copy()
			b := bytes.Clone(c.Bytes(name))
			at := rng.IntN(len(b))
			b[at] ^= 1 << rng.IntN(8)
			c.SetBytes(name, b)
			for what, open := range map[string]func() error{
				"reader": func() error { _, err := openReader(c, resolve(t, Options{Integrity: integrity.Full})); return err },
				"writer": func() error { _, err := openFS(c, resolve(t, Options{Integrity: integrity.Full})); return err },
			} {
				err := open()
				if e, ok := segment.AsCorrupt(err); !ok || !strings.HasSuffix(e.File, name) && !errors.Is(err, ErrMissing) {
					if !errors.Is(err, ErrMissing) && !errors.Is(err, ErrVersion) {
						t.Fatalf("seed 21: %s, byte %d of %s: %v", what, at, name, err)
					}
				}
			}
			if !bytes.Equal(c.Bytes(name), b) {
				t.Fatal("the open changed the file")
			}
		}
	}
}

// TestFullWithDamageAllowed opens, and reports what it found.
func TestFullWithDamageAllowed(t *testing.T) {
	h := newHurt(t, 22)
	name := sealName(h.refs[2].ID)
	b := bytes.Clone(h.fs.Bytes(name))
	b[400] ^= 1
	h.fs.SetBytes(name, b)
	db, err := openFS(h.fs, resolve(t, Options{Integrity: integrity.Full, AllowDamaged: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, db)
	f := db.OpenReport().Findings
	if len(f) == 0 || f[0].Segment != h.refs[2] {
		t.Errorf("findings: %+v", f)
	}
	h.check(t, db, func(key string) bool { return h.newest[key] == h.refs[2] })
}

// TestFullComparesTheIndex changes the index in memory behind the back of the open.
func TestFullComparesTheIndex(t *testing.T) {
	h := newHurt(t, 23)
	opt := resolve(t, Options{Integrity: integrity.Full})
	for what, change := range map[string]func(x *index.Index, key []byte, l index.Loc){
		"nothing":   func(x *index.Index, key []byte, l index.Loc) {},
		"a loss":    func(x *index.Index, key []byte, l index.Loc) { x.Delete(key) },
		"an offset": func(x *index.Index, key []byte, l index.Loc) { l.Offset++; x.Put(key, l) },
		"a segment": func(x *index.Index, key []byte, l index.Loc) { l.Slot = (l.Slot + 1) % 6; x.Put(key, l) },
		"a key":     func(x *index.Index, key []byte, l index.Loc) { x.Put([]byte("never"), l) },
	} {
		s, err := integrity.Survey(h.fs)
		if err != nil {
			t.Fatal(err)
		}
		st, err := resolveState(s, &opt, false)
		if err != nil {
			t.Fatal(err)
		}
		var v view
		var rep OpenReport
		if err := st.buildIndex(&v, &opt, &rep); err != nil {
			t.Fatal(err)
		}
		tp, err := st.tip(&v, false, &rep)
		if err != nil {
			t.Fatal(err)
		}
		for key := range h.model {
			loc, _ := v.idx.Get([]byte(key))
			change(v.idx, []byte(key), loc)
			break
		}
		err = st.verifyIndex(&v, tp.sf, st.V.End, &opt, &rep)
		if segment.IsCorrupt(err) != (what != "nothing") {
			t.Errorf("%s: %v", what, err)
		}
		v.close()
		st.Close()
	}
}

// readCounter is a file system that notes which bytes of its files are read.
type readCounter struct {
	fs.FS
	mu   sync.Mutex
	seen map[string][]bool
}

type notedFile struct {
	fs.File
	c    *readCounter
	name string
}

func (c *readCounter) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	if err != nil || name == "." {
		return f, err
	}
	return &notedFile{f, c, name}, nil
}

func (f *notedFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.File.(io.ReaderAt).ReadAt(b, off)
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	s := f.c.seen[f.name]
	for int64(len(s)) < off+int64(n) {
		s = append(s, false)
	}
	for i := range int64(n) {
		s[off+i] = true
	}
	f.c.seen[f.name] = s
	return n, err
}

// share returns which part of the first n bytes of a file was read.
func (c *readCounter) share(name string, from, to int64) float64 {
	n := 0
	for i, read := range c.seen[name] {
		if read && int64(i) >= from && int64(i) < to {
			n++
		}
	}
	return float64(n) / float64(to-from)
}

// TestLevelsReadNoMoreThanTheySay counts the bytes that each level reads of a
// sealed segment's records, and of the values of the newest log.
func TestLevelsReadNoMoreThanTheySay(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, &Options{SegmentSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 64<<10)
	for i := range 96 {
		if err := db.Put(fmt.Appendf(nil, "key %d", i), value); err != nil {
			t.Fatal(err)
		}
		if i == 31 {
			if _, err := db.Seal(); err != nil {
				t.Fatal(err)
			}
		}
	}
	mustClose(t, db)
	s, err := integrity.Survey(vfs.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	log, sealed := s.NewestLog(), s.Files[0]
	if log.Size < 4<<20 || !sealed.Sealed {
		t.Fatalf("%+v, %+v", log, sealed)
	}
	tail := log.Size - 1<<20 // where level Tail begins
	for _, c := range []struct {
		level                    integrity.Level
		sealed, before, tailPart [2]float64 // least and most that may be read
	}{
		{integrity.None, [2]float64{0, 0.01}, [2]float64{0, 0.1}, [2]float64{0, 0.1}},
		{integrity.Tail, [2]float64{0, 0.01}, [2]float64{0, 0.1}, [2]float64{0.9, 1}},
		{integrity.Log, [2]float64{0, 0.01}, [2]float64{1, 1}, [2]float64{1, 1}},
		{integrity.Full, [2]float64{1, 1}, [2]float64{1, 1}, [2]float64{1, 1}},
	} {
		// A view of the very folder, so that the log passes for the one that was closed.
		counter := &readCounter{FS: os.DirFS(dir), seen: map[string][]bool{}}
		r, err := openReader(sameFolder{vfs.FromFS(counter), vfs.Dir(dir)}, resolve(t, Options{Integrity: c.level}))
		if err != nil {
			t.Fatal(err)
		}
		if rep := r.OpenReport(); rep.Level != c.level || !rep.Clean {
			t.Fatalf("level %v: %+v", c.level, rep)
		}
		r.Close()
		for _, part := range []struct {
			what     string
			got      float64
			min, max float64
		}{
			{"a sealed segment's records", counter.share(filepath.Base(sealed.Name), 4096, sealed.Size-16<<10), c.sealed[0], c.sealed[1]},
			{"the newest log before its tail", counter.share(log.Name, 0, tail-64<<10), c.before[0], c.before[1]},
			{"the tail of the newest log", counter.share(log.Name, tail+64<<10, log.Size), c.tailPart[0], c.tailPart[1]},
		} {
			if part.got < part.min || part.got > part.max {
				t.Errorf("level %v reads %.3f of %s, want %.2f to %.2f", c.level, part.got, part.what, part.min, part.max)
			}
		}
	}
}

// TestLevelsCheckWhatTheySay damages one value in each place: which of them an open
// meets says which bytes a level puts through their checksums.
func TestLevelsCheckWhatTheySay(t *testing.T) {
	h := &hurt{fs: crashfs.New()}
	db, err := openFS(h.fs, resolve(t, Options{SegmentSize: 16 << 20}))
	if err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 64<<10)
	for i := range 48 {
		if err := db.Put(fmt.Appendf(nil, "key %d", i), value); err != nil {
			t.Fatal(err)
		}
		if i == 15 {
			if _, err := db.Seal(); err != nil {
				t.Fatal(err)
			}
		}
	}
	db.opt.SegmentSize = 1 << 30 // so that the close leaves the log as it is
	mustClose(t, db)
	s, err := integrity.Survey(h.fs)
	if err != nil {
		t.Fatal(err)
	}
	log, sealed := s.NewestLog(), s.Files[0]
	if log.Sealed || log.Size < 2<<20 || !sealed.Sealed {
		t.Fatalf("%+v, %+v", log, sealed)
	}
	for _, c := range []struct {
		where string
		name  string
		at    int64
		met   []integrity.Level
	}{
		{"a sealed segment", sealed.Name, sealed.Size / 2, []integrity.Level{integrity.Full}},
		{"the beginning of the newest log", log.Name, 100 << 10, []integrity.Level{integrity.Log, integrity.Full}},
		{"the tail of the newest log", log.Name, log.Size - 100<<10, []integrity.Level{integrity.Tail, integrity.Log, integrity.Full}},
	} {
		b := h.fs.Bytes(c.name)
		b[c.at] ^= 1 // in place: it stays the file that was closed
		h.fs.SetBytes(c.name, b)
		for _, level := range []integrity.Level{integrity.None, integrity.Tail, integrity.Log, integrity.Full} {
			r, err := openReader(h.fs, resolve(t, Options{Integrity: level}))
			if segment.IsCorrupt(err) != slices.Contains(c.met, level) {
				t.Errorf("damage in %s, level %v: %v", c.where, level, err)
			}
			if err == nil {
				r.Close()
			}
		}
		b[c.at] ^= 1
		h.fs.SetBytes(c.name, b)
	}
}

// sameFolder reads through one file system and asks another who a file is.
type sameFolder struct {
	vfs.FS
	real vfs.FS
}

func (s sameFolder) Open(name string) (vfs.File, error) {
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	real, err := s.real.Open(name)
	if err != nil {
		return nil, err
	}
	defer real.Close()
	id, err := real.Identity()
	return sameFile{f, id}, err
}

type sameFile struct {
	vfs.File
	id vfs.Identity
}

func (f sameFile) Identity() (vfs.Identity, error) { return f.id, nil }
