package integrity_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// fixture is a store of a few small segments, in memory, and what was done to it.
type fixture struct {
	fs     *crashfs.FS  // as it was closed
	model  []madeChange // by sequence number, from 1
	sealed []string
	newest string
	early  *crashfs.FS // a copy made while the newest log was shorter
	killed *crashfs.FS // as it was before the close, with all on the disk
	lock   []byte      // the lock file, with the witness of the close; it is in none of the above
}

// change is one put, or a deletion, which has a nil value.
type madeChange struct {
	key   string
	value []byte
}

// newFixture makes a store by the store itself.
func newFixture(t testing.TB) *fixture {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "s")
	o := &store.Options{SegmentSize: 4 << 10}
	x := &fixture{}
	put := func(db *store.DB, i int) {
		var b store.Batch
		c := madeChange{fmt.Sprintf("key %d", i%23), fmt.Appendf(nil, "%d %0150d", i, i)}
		testkit.Must(t, b.PutObject(store.Object{Key: []byte(c.key), Value: c.value, Meta: []byte{0x81, 0xa1, 'm', byte(i % 100)}}))
		x.model = append(x.model, c)
		if i%5 == 0 && i > 5 { // a key that is there
			k := fmt.Sprintf("key %d", (i-4)%23)
			testkit.Must(t, b.Delete([]byte(k)))
			x.model = append(x.model, madeChange{k, nil})
		}
		testkit.Must(t, db.Apply(&b))
	}
	db, err := store.Open(dir, o)
	testkit.Must(t, err)
	for i := range 58 {
		put(db, i)
	}
	testkit.Must(t, db.Close())
	o.SegmentSize = 64 << 10 // so that the close leaves the log as it is
	db, err = store.Open(dir, o)
	testkit.Must(t, err)
	for i := 58; i < 61; i++ {
		put(db, i)
	}
	x.early = loadFS(t, dir)
	for i := 61; i < 66; i++ {
		put(db, i)
	}
	x.killed = loadFS(t, dir)
	testkit.Must(t, db.Close())
	x.fs = loadFS(t, dir)
	x.lock, err = os.ReadFile(filepath.Join(dir, integrity.LockName))
	testkit.Must(t, err)
	s, err := integrity.Look(x.fs)
	testkit.Must(t, err)
	for _, e := range s.Files {
		if e.Sealed {
			x.sealed = append(x.sealed, e.Name)
		}
	}
	x.newest = s.NewestLog().Name
	if len(x.sealed) < 3 || strings.HasSuffix(x.newest, ".seg") || x.early.Bytes(x.newest) == nil {
		t.Fatalf("the fixture is not what it should be: %v", x.fs.Names())
	}
	return x
}

// load copies a folder into memory, durably.
func loadFS(t testing.TB, dir string) *crashfs.FS {
	t.Helper()
	fsys := crashfs.New()
	list, err := os.ReadDir(dir)
	testkit.Must(t, err)
	for _, e := range list {
		if e.Name() == integrity.LockName || e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		testkit.Must(t, err)
		fsys.SetBytes(e.Name(), b)
		if filepath.Ext(e.Name()) == ".seg" {
			chmodFS(t, fsys, e.Name(), 0o400)
		}
	}
	return fsys
}

func chmodFS(t testing.TB, fsys vfs.FS, name string, mode fs.FileMode) {
	t.Helper()
	f, err := fsys.Open(name)
	testkit.Must(t, err)
	testkit.Must(t, errors.Join(f.Chmod(mode), f.Close(), fsys.SyncDir(".")))
}

// unload copies a store out of memory, to open it with package store.
func unloadFS(t testing.TB, fsys *crashfs.FS) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range fsys.Names() {
		path := filepath.Join(dir, name)
		testkit.Must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		testkit.Must(t, os.WriteFile(path, fsys.Bytes(name), 0o600))
	}
	return dir
}

// files returns all files but for the lock and what is in quarantine.
func filesOf(fsys *crashfs.FS) map[string][]byte {
	m := map[string][]byte{}
	for _, name := range fsys.Names() {
		if name != integrity.LockName && !strings.HasPrefix(name, "quarantine/") {
			m[name] = fsys.Bytes(name)
		}
	}
	return m
}

// same fails the test unless two folders have the same files.
func sameFiles(t testing.TB, got, want *crashfs.FS) {
	t.Helper()
	if err := differFrom(got, want); err != nil {
		t.Error(err)
	}
}

func differFrom(got, want *crashfs.FS) error {
	a, b := filesOf(got), filesOf(want)
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if _, ok := b[name]; !ok {
			return fmt.Errorf("%s is there, and not in the copy", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if !bytes.Equal(a[name], b[name]) {
			return fmt.Errorf("%s: %d bytes that are not the %d of the copy", name, len(a[name]), len(b[name]))
		}
	}
	return nil
}

// held is what an open would find: all values by key.
func heldBy(fsys vfs.FS) (map[string]string, error) {
	s, err := integrity.Look(fsys)
	if err != nil {
		return nil, err
	}
	st, err := s.Stand(integrity.StandOptions{Level: integrity.Log})
	if err != nil {
		return nil, err
	}
	defer st.Close()
	if st.Lost {
		return nil, errors.New("the newest log is lost")
	}
	all, seqs := map[string]string{}, map[string]uint64{}
	read := func(r *segment.Reader, end int64) error {
		for rec, err := range r.Records(segment.Span{To: end, Depth: segment.WithValues}) {
			if err != nil {
				return err
			}
			k := string(rec.Key)
			if !rec.Kind.Data() || rec.Seq < seqs[k] {
				continue
			}
			seqs[k] = rec.Seq
			if delete(all, k); rec.Kind == segment.Put {
				all[k] = string(rec.Value)
			}
		}
		return nil
	}
	for _, p := range st.Parts {
		r, err := segment.NewReader(p.Src, p.Size)
		if err == nil {
			err = read(r, p.Footer.RecordsEnd)
		}
		if err != nil {
			return nil, err
		}
	}
	if st.V.Successor != (segment.Ref{}) || st.V.End == st.R.HeaderSize {
		return all, nil
	}
	return all, read(st.R, st.V.End)
}

// current returns the values by key after all changes.
func (x *fixture) current() map[string]string {
	m := map[string]string{}
	for _, c := range x.model {
		if delete(m, c.key); c.value != nil {
			m[c.key] = string(c.value)
		}
	}
	return m
}

// casualty is a store that is injured.
type casualty struct {
	*fixture
	testing.TB
	fs *crashfs.FS
}

func (p *casualty) edit(name string, fn func(b []byte) []byte) {
	b := p.fs.Bytes(name)
	if b == nil {
		p.Fatalf("%s: not there", name)
	}
	p.fs.SetBytes(name, fn(b))
}

func (p *casualty) remove(name string) { testkit.Must(p, p.fs.Remove(name)) }

func (p *casualty) rename(from, to string) { testkit.Must(p, p.fs.Rename(from, to)) }

func flipAt(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		if at < 0 {
			at += len(b)
		}
		b[at] ^= 0x10
		return b
	}
}

// zeros clears n bytes from an offset, negative: from the end.
func zeroAt(at, n int) func([]byte) []byte {
	return func(b []byte) []byte {
		if at < 0 {
			at += len(b)
		}
		clear(b[at:min(len(b), at+n)])
		return b
	}
}

func cutEnd(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }

func growBy(s string) func([]byte) []byte { return func(b []byte) []byte { return append(b, s...) } }

func halve(b []byte) []byte { return b[:len(b)/2] }

// newer makes a segment one of a newer format, which has its checksum over its own number.
func newer(b []byte) []byte {
	n := binary.LittleEndian.Uint32(b[12:])
	b[8]++
	binary.LittleEndian.PutUint32(b[n-4:], crc32.Checksum(b[:n-4], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// stranger is a segment of another store.
func strangerLog() []byte {
	h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: segment.UUID{9, 9}, Ref: segment.Ref{Timeline: 5, ID: 2}, FirstSeq: 1, Time: 1, NextID: 3}}
	b := h.Append(nil)
	r := segment.Record{Kind: segment.Put, Key: []byte("foreign"), Value: []byte("x"), Flags: segment.FlagCommit | segment.FlagVouch, Seq: 1, Time: 2}
	return h.Place().AppendRecord(b, int64(len(b)), &r)
}

const ninetyNine = "00000000000000000099"

// harm is what happens to a store.
type harm struct {
	name string
	do   func(p *casualty)

	// alone says what repair makes of it without another copy.
	alone outcome
}

// outcome is what a repair comes to.
type outcome int

const (
	left       outcome = iota // it stays as it was, and is said so
	healed                    // all is as before, byte for byte
	opens                     // nothing is lost, but the files are not those of the copy
	never                     // neither with a copy
	opensShort                // it looks like a crash, and only a copy tells
)

var harms = []harm{
	{"nothing at all", func(*casualty) {}, healed},
	{"a header of a sealed segment", func(p *casualty) { p.edit(p.sealed[1], flipAt(60)) }, left},
	{"the magic of the first segment", func(p *casualty) { p.edit(p.sealed[0], flipAt(0)) }, left},
	{"a key of a sealed segment", func(p *casualty) { p.edit(p.sealed[1], flipAt(175)) }, left},
	{"a record's head", func(p *casualty) { p.edit(p.sealed[1], flipAt(1000)) }, left},
	{"values all over", func(p *casualty) {
		p.edit(p.sealed[1], func(b []byte) []byte {
			for i := 300; i < 3500; i += 400 {
				b[i] ^= 1
			}
			return b
		})
	}, left},
	{"a block of the table", func(p *casualty) { p.edit(p.sealed[1], flipAt(-400)) }, healed},
	{"a trailer", func(p *casualty) { p.edit(p.sealed[1], flipAt(-100)) }, healed},
	{"the digest in a trailer", func(p *casualty) { p.edit(p.sealed[1], flipAt(-40)) }, healed},
	{"the magic of a trailer", func(p *casualty) { p.edit(p.sealed[1], flipAt(-1)) }, healed},
	{"a footer cut off", func(p *casualty) { p.edit(p.sealed[1], cutEnd(200)) }, healed},
	{"all tables", func(p *casualty) {
		for _, n := range p.sealed {
			p.edit(n, flipAt(-300))
		}
	}, healed},
	{"a sealed segment cut in half", func(p *casualty) { p.edit(p.sealed[1], halve) }, left},
	{"a sealed segment without a byte", func(p *casualty) { p.fs.SetBytes(p.sealed[1], nil) }, left},
	{"a sealed segment grown", func(p *casualty) { p.edit(p.sealed[1], growBy("more")) }, healed},
	{"a sealed segment missing", func(p *casualty) { p.remove(p.sealed[1]) }, left},
	{"all sealed segments missing", func(p *casualty) {
		for _, n := range p.sealed {
			p.remove(n)
		}
	}, left},
	{"a sector of zeros", func(p *casualty) { p.edit(p.sealed[2], zeroAt(1024, 512)) }, left},
	{"a segment of zeros", func(p *casualty) { p.edit(p.sealed[2], zeroAt(0, 1<<20)) }, left},
	{"a misdirected sector", func(p *casualty) {
		b := p.fs.Bytes(p.sealed[0])
		p.edit(p.sealed[1], func(c []byte) []byte { copy(c[512:1024], b[512:1024]); return c })
	}, left},
	{"a segment of another store in the place of ours", func(p *casualty) { p.fs.SetBytes(p.sealed[1], strangerLog()) }, left},
	{"a segment twice", func(p *casualty) { p.fs.SetBytes(ninetyNine+".seg", p.fs.Bytes(p.sealed[1])) }, healed},
	{"a segment twice, one of them damaged", func(p *casualty) {
		p.fs.SetBytes(ninetyNine+".seg", p.fs.Bytes(p.sealed[1]))
		p.edit(p.sealed[1], flipAt(700))
	}, healed},
	{"a segment twice, both damaged", func(p *casualty) {
		p.edit(p.sealed[1], flipAt(700))
		p.fs.SetBytes(ninetyNine+".seg", p.fs.Bytes(p.sealed[1]))
	}, left},
	{"a log beside the segment that it was sealed to", func(p *casualty) {
		b := p.fs.Bytes(p.sealed[1])
		p.fs.SetBytes(strings.TrimSuffix(p.sealed[1], "seg")+"open", b[:len(b)/2])
	}, healed},
	{"a wrong name", func(p *casualty) { p.rename(p.sealed[1], ninetyNine+".seg") }, healed},
	{"a wrong name and damage", func(p *casualty) {
		p.edit(p.sealed[1], flipAt(700))
		p.rename(p.sealed[1], ninetyNine+".seg")
	}, left},
	{"two names exchanged", func(p *casualty) {
		p.rename(p.sealed[0], "x")
		p.rename(p.sealed[1], p.sealed[0])
		p.rename("x", p.sealed[1])
	}, healed},
	{"three names in a circle", func(p *casualty) {
		p.rename(p.sealed[0], "x")
		p.rename(p.sealed[1], p.sealed[0])
		p.rename(p.sealed[2], p.sealed[1])
		p.rename("x", p.sealed[2])
	}, healed},
	{"a wrong mode", func(p *casualty) { chmodFS(p, p.fs, p.sealed[1], 0o644) }, healed},
	{"the newest log under a wrong name", func(p *casualty) { p.rename(p.newest, ninetyNine+".open") }, healed},
	{"the newest log twice", func(p *casualty) { p.fs.SetBytes(ninetyNine+".open", p.fs.Bytes(p.newest)) }, healed},
	{"the header of the newest log", func(p *casualty) { p.edit(p.newest, flipAt(70)) }, left},
	{"the newest log damaged where it was on the disk", func(p *casualty) { p.edit(p.newest, flipAt(300)) }, left},
	{"the newest log damaged in many places", func(p *casualty) {
		for i := 200; i < 1200; i += 150 {
			p.edit(p.newest, flipAt(i))
		}
	}, left},
	{"the newest log missing", func(p *casualty) { p.remove(p.newest) }, left},
	{"the newest log without a byte", func(p *casualty) { p.fs.SetBytes(p.newest, nil) }, opensShort},
	{"the newest log of zeros", func(p *casualty) { p.edit(p.newest, zeroAt(0, 1<<20)) }, opensShort},
	{"the newest log cut short", func(p *casualty) { p.edit(p.newest, halve) }, opensShort},
	{"the record of the close", func(p *casualty) { p.edit(p.newest, flipAt(-10)) }, opens},
	{"garbage behind the close", func(p *casualty) { p.edit(p.newest, growBy("garbage")) }, opens},
	{"a log of another store in the place of the newest", func(p *casualty) { p.fs.SetBytes(p.newest, strangerLog()) }, opensShort},
	{"several segments and the newest log", func(p *casualty) {
		p.edit(p.sealed[0], flipAt(400))
		p.remove(p.sealed[1])
		p.edit(p.sealed[2], halve)
		p.edit(p.newest, flipAt(300))
	}, left},
	{"every file", func(p *casualty) {
		for _, n := range append([]string{p.newest}, p.sealed...) {
			p.edit(n, flipAt(3))
			p.edit(n, flipAt(20))
			p.edit(n, flipAt(500))
		}
	}, left},
	{"a file without use that has no header", func(p *casualty) { p.fs.SetBytes(fmt.Sprintf("%020d.seg", 0), []byte("nothing")) }, opens},
	{"the version of a segment", func(p *casualty) { p.edit(p.sealed[1], flipAt(8)) }, left},
	{"the version of the newest log", func(p *casualty) { p.edit(p.newest, flipAt(8)) }, left},
	{"the version of a trailer", func(p *casualty) { p.edit(p.sealed[1], flipAt(-12)) }, healed},
	{"a segment of a newer version", func(p *casualty) { p.edit(p.sealed[1], newer) }, never},
	{"a trailer of a newer version", func(p *casualty) {
		p.edit(p.sealed[1], func(b []byte) []byte { b[len(b)-12]++; b[len(b)-16]++; return b })
	}, never},
}

func (x *fixture) injured(t testing.TB, in harm) *casualty {
	t.Helper()
	p := &casualty{fixture: x, TB: t, fs: x.fs.Clone()}
	in.do(p)
	testkit.Must(t, p.fs.SyncDir("."))
	return p
}

func copyOfStore(fsys vfs.FS) integrity.Donor {
	return integrity.FolderDonor(vfs.AsFS(fsys), "the copy")
}

// TestRepairFromACopyMakesTheFilesThoseOfTheCopy, for each harm; and the copy stays as
// it is, a second repair finds nothing to do, and a plan changes nothing.
func TestRepairFromACopyMakesTheFilesThoseOfTheCopy(t *testing.T) {
	x := newFixture(t)
	for _, in := range harms {
		t.Run(in.name, func(t *testing.T) {
			p := x.injured(t, in)
			before := p.fs.Clone()
			o := integrity.RepairOptions{From: copyOfStore(x.fs)}
			planned, err := integrity.MakePlan(t.Context(), p.fs, o)
			testkit.Must(t, err)
			sameFiles(t, p.fs, before)
			done, err := integrity.Repair(t.Context(), p.fs, o)
			testkit.Must(t, err)
			if len(planned.Steps) != len(done.Steps) || len(planned.Left) != len(done.Left) {
				t.Errorf("planned %+v, %+v; done %+v, %+v", planned.Steps, planned.Left, done.Steps, done.Left)
			}
			if in.alone == never {
				if len(done.Left) == 0 {
					t.Error("nothing is left")
				}
				sameFiles(t, p.fs, before)
				return
			}
			if len(done.Left) > 0 {
				t.Errorf("left: %+v", done.Left)
			}
			sameFiles(t, p.fs, x.fs)
			for _, name := range x.sealed {
				if info, err := p.fs.Stat(name); err != nil || info.Mode() != 0o400 {
					t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
				}
			}
			again, err := integrity.Repair(t.Context(), p.fs, o)
			testkit.Must(t, err)
			if len(again.Steps)+len(again.Left) > 0 {
				t.Errorf("a second repair: %+v %+v", again.Steps, again.Left)
			}
			keptAll(t, before, p.fs)
		})
	}
}

// TestRepairOfEveryFlip flips a byte of a file, and heals it from a copy: all files are
// those of the copy again. VARVE_DAMAGE=all takes every byte, else a share of them and each
// byte of a header's and a trailer's version.
func TestRepairOfEveryFlip(t *testing.T) {
	x := newFixture(t)
	for _, name := range append([]string{x.newest}, x.sealed...) {
		size := len(x.fs.Bytes(name))
		for at := range size {
			version := at == 8 || at == 9 || at == size-12 || at == size-11
			if at%131 != 0 && !version && os.Getenv("VARVE_DAMAGE") == "" {
				continue
			}
			p := &casualty{fixture: x, TB: t, fs: x.fs.Clone()}
			p.edit(name, flipAt(at))
			testkit.Must(t, p.fs.SyncDir("."))
			before := p.fs.Clone()
			done, err := integrity.Repair(t.Context(), p.fs, integrity.RepairOptions{From: copyOfStore(x.fs)})
			if err != nil || len(done.Left) > 0 {
				t.Errorf("%s, flip at %d: %+v, %v", name, at, done, err)
			}
			sameFiles(t, p.fs, x.fs)
			keptAll(t, before, p.fs)
			if t.Failed() {
				t.Fatalf("%s, flip at %d", name, at)
			}
		}
	}
}

// keptAll fails the test if bytes of before are in no file of now.
func keptAll(t testing.TB, before, now *crashfs.FS) {
	t.Helper()
	for name, b := range filesOf(before) {
		found := strings.HasSuffix(name, ".tmp") // worth nothing, and written over
		for _, n := range now.Names() {
			found = found || bytes.Equal(now.Bytes(n), b)
		}
		if !found {
			t.Errorf("%s is deleted", name)
		}
	}
	for _, n := range now.Names() {
		if strings.HasPrefix(n, "quarantine/") && before.Bytes(n) == nil && !strings.HasSuffix(n, ".json") && len(now.Bytes(n+".json")) == 0 {
			t.Errorf("%s has no description", n)
		}
	}
}

// TestRepairAlone heals what can be healed out of the store itself, and leaves the
// rest as it is.
func TestRepairAlone(t *testing.T) {
	x := newFixture(t)
	for _, in := range harms {
		t.Run(in.name, func(t *testing.T) {
			p := x.injured(t, in)
			before := p.fs.Clone()
			was, wasErr := heldBy(p.fs)
			done, err := integrity.Repair(t.Context(), p.fs, integrity.RepairOptions{})
			testkit.Must(t, err)
			keptAll(t, before, p.fs)
			got, gotErr := heldBy(p.fs)
			switch in.alone {
			case healed, opens:
				if len(done.Left) > 0 || gotErr != nil {
					t.Fatalf("left: %+v; %v", done.Left, gotErr)
				}
				if !maps.Equal(got, x.current()) {
					t.Error("another content")
				}
				if in.alone == healed {
					sameFiles(t, p.fs, x.fs)
				}
			case left, never:
				if len(done.Left) == 0 || done.Left[0].Next == "" {
					t.Errorf("left: %+v, steps %+v", done.Left, done.Steps)
				}
			}
			if wasErr == nil && (gotErr != nil || !maps.Equal(was, got)) {
				t.Errorf("it had opened, and now: %v", gotErr)
			}
		})
	}
}

// TestRepairGoesOnWithItsOwnBytesBehindAnOlderCopy: damage in the part of the newest log that an
// older copy has, and sound records behind.
func TestRepairGoesOnWithItsOwnBytesBehindAnOlderCopy(t *testing.T) {
	x := newFixture(t)
	whole := x.killed.Bytes(x.newest)
	short := len(x.early.Bytes(x.newest))
	if len(whole) <= short+200 {
		t.Fatalf("%d bytes, of which the copy has %d", len(whole), short)
	}
	for at := range short {
		if at == 8 || at == 9 { // the version: another one is not touched
			continue
		}
		p := &casualty{fixture: x, TB: t, fs: x.fs.Clone()}
		p.edit(x.newest, flipAt(at))
		done, err := integrity.Repair(t.Context(), p.fs, integrity.RepairOptions{From: copyOfStore(x.early)})
		testkit.Must(t, err)
		if err := differFrom(p.fs, x.fs); err != nil || len(done.Left) > 0 {
			t.Fatalf("flip at %d: %v; left %+v", at, err, done.Left)
		}
	}
	// Behind what the copy has, nothing helps but to say so.
	p := &casualty{fixture: x, TB: t, fs: x.fs.Clone()}
	p.edit(x.newest, flipAt(short+40))
	before := p.fs.Clone()
	done, err := integrity.Repair(t.Context(), p.fs, integrity.RepairOptions{From: copyOfStore(x.early)})
	testkit.Must(t, err)
	if len(done.Left) != 1 || len(done.Steps) != 0 {
		t.Errorf("left: %+v, steps %+v", done.Left, done.Steps)
	}
	sameFiles(t, p.fs, before)
}

// TestRepairRefusesAWrongCopy: damaged, of another store, or of another history.
func TestRepairRefusesAWrongCopy(t *testing.T) {
	x := newFixture(t)
	hurt := func(p *casualty) { p.edit(p.sealed[1], flipAt(700)) }
	for name, spoil := range map[string]func(q *casualty){
		"damaged at the same place": func(q *casualty) { q.edit(q.sealed[1], flipAt(700)) },
		"damaged at another place":  func(q *casualty) { q.edit(q.sealed[1], flipAt(1500)) },
		"cut off before that":       func(q *casualty) { q.edit(q.sealed[1], func(b []byte) []byte { return b[:600] }) },
		"without it":                func(q *casualty) { q.remove(q.sealed[1]) },
		"another segment of the name": func(q *casualty) {
			q.edit(q.sealed[1], func(b []byte) []byte { return forgedSegment(q, b, 0) })
		},
		"another header of the name": func(q *casualty) {
			q.edit(q.sealed[1], func(b []byte) []byte { return forgedSegment(q, b, 1) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := x.injured(t, harm{do: spoil})
			p := x.injured(t, harm{do: hurt})
			if strings.Contains(name, "header") { // only that tells them apart
				p.edit(p.sealed[1], flipAt(-60))
			}
			fsys := p.fs.Clone()
			done, err := integrity.Repair(t.Context(), fsys, integrity.RepairOptions{From: copyOfStore(q.fs)})
			testkit.Must(t, err)
			if len(done.Left) == 0 || !strings.Contains(done.Left[0].Reason, "the copy") {
				t.Errorf("left: %+v, steps: %+v", done.Left, done.Steps)
			}
			sameFiles(t, fsys, p.fs)
		})
	}
	other := newFixture(t)
	if _, err := integrity.Repair(t.Context(), x.injured(t, harm{do: hurt}).fs, integrity.RepairOptions{From: copyOfStore(other.fs)}); !errors.Is(err, integrity.ErrNotStore) {
		t.Errorf("with another store: %v", err)
	}
}

// forged makes another sound segment of the same name, as a fork of the store would
// have if timelines did not tell forks apart: the value of its first put is another.
// Or its time of creation is.
func forgedSegment(t testing.TB, b []byte, later int64) []byte {
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	testkit.Must(t, err)
	r.Header.Time += later
	out := r.Header.Append(nil)
	first := later == 0
	for rec, err := range r.Records(segment.Span{Depth: segment.WithValues}) {
		testkit.Must(t, err)
		if rec.Kind == segment.Put && first {
			first = false
			rec.Value = bytes.Repeat([]byte{'f'}, len(rec.Value))
		}
		out = r.Place().AppendRecord(out, int64(len(out)), rec)
	}
	end := int64(len(out))
	r, err = segment.NewReader(bytes.NewReader(out), end)
	testkit.Must(t, err)
	footer, _, err := r.Seal(end)
	testkit.Must(t, err)
	return append(out, footer...)
}

// TestRepairIsRefusedWhileAWriterIsAtWork.
func TestRepairIsRefusedWhileAWriterIsAtWork(t *testing.T) {
	x := newFixture(t)
	lock, _, err := x.fs.Lock(integrity.LockName, "me")
	testkit.Must(t, err)
	if _, err := integrity.Repair(t.Context(), x.fs, integrity.RepairOptions{}); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("repair: %v", err)
	}
	if _, err := integrity.MakePlan(t.Context(), x.fs, integrity.RepairOptions{}); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("plan: %v", err)
	}
	testkit.Must(t, lock.Close())
	empty := crashfs.New()
	if _, err := integrity.Repair(t.Context(), empty, integrity.RepairOptions{}); !errors.Is(err, integrity.ErrNotStore) || len(empty.Names()) > 0 {
		t.Errorf("an empty folder: %v, %v", err, empty.Names())
	}
}

// operated are the harms on which repair is cut off and made to fail.
var operated = []string{
	"values all over", "a block of the table", "a sealed segment missing", "a segment twice, one of them damaged", "three names in a circle",
	"a wrong name and damage", "the newest log damaged where it was on the disk", "several segments and the newest log", "a wrong mode",
	"a log beside the segment that it was sealed to", "a segment of another store in the place of ours", "the newest log missing",
}

// TestRepairCutOffAnywhere cuts the power at every operation of a repair. Whatever is left
// opens as before or better, and a second repair comes to the same end. Seed 1.
func TestRepairCutOffAnywhere(t *testing.T) {
	x := newFixture(t)
	want := x.current()
	states := 0
	for _, noLinks := range []bool{false, true} {
		for _, in := range harms {
			if !slices.Contains(operated, in.name) || testing.Short() && noLinks {
				continue
			}
			p := x.injured(t, in)
			before := p.fs.Clone()
			_, wasErr := heldBy(p.fs)
			for _, from := range []integrity.Donor{copyOfStore(x.fs), nil} {
				if from == nil && in.alone != healed {
					continue
				}
				fsys := p.fs.Clone()
				if noLinks {
					fsys.Fail(crashfs.FailNth(1, vfs.ErrUnsupported, false, crashfs.OpLink))
				}
				rec := fsys.Record()
				o := integrity.RepairOptions{From: from}
				_, err := integrity.Repair(t.Context(), fsys, o)
				testkit.Must(t, err)
				for n := rec.First(); n <= rec.Ops(); n++ {
					i := 0
					for state, crashed := range rec.At(n).States(1) {
						if i++; i > 5 && os.Getenv("VARVE_DAMAGE") == "" {
							break
						}
						states++
						got, err := heldBy(crashed)
						if wasErr == nil && err != nil && !noLinks || err == nil && !maps.Equal(got, want) {
							t.Fatalf("%s, links %v, cut after %v, %v: %v", in.name, !noLinks, rec.Op(n), state, err)
						}
						left, err := integrity.Repair(t.Context(), crashed, o)
						if err != nil || len(left.Left) > 0 {
							t.Fatalf("%s, links %v, cut after %v, %v: the second repair: %v, left %+v", in.name, !noLinks, rec.Op(n), state, err, left)
						}
						dropTmps(crashed)
						if err := differFrom(crashed, x.fs); err != nil {
							t.Fatalf("%s, links %v, cut after %v, %v: the second repair: %v", in.name, !noLinks, rec.Op(n), state, err)
						}
						keptAll(t, before, crashed)
					}
				}
			}
		}
	}
	t.Logf("%d states", states)
}

// dropTmp removes unfinished files, as an open does.
func dropTmps(fsys *crashfs.FS) {
	for _, n := range fsys.Names() {
		if strings.HasSuffix(n, ".tmp") {
			fsys.Remove(n)
		}
	}
}

// TestRepairWithFailingCalls fails the calls of a repair, once and for good. It says so or
// has done its work, and a second repair without failures comes to the end. VARVE_DAMAGE=all
// takes every call; otherwise each harm has its turn with others.
func TestRepairWithFailingCalls(t *testing.T) {
	x := newFixture(t)
	for _, in := range harms {
		if !slices.Contains(operated, in.name) {
			continue
		}
		p := x.injured(t, in)
		before := p.fs.Clone()
		_, wasErr := heldBy(p.fs)
		for _, once := range []bool{true, false} {
			step := int64(1)
			if os.Getenv("VARVE_DAMAGE") == "" {
				step = 5
			}
			for n := 1 + int64(slices.Index(operated, in.name))%step; ; n += step {
				fsys := p.fs.Clone()
				var calls atomic.Int64 // several goroutines make them
				var hit atomic.Bool
				fsys.Fail(func(op crashfs.Op) error {
					if op.Kind == crashfs.OpUnlock {
						return nil // the end of the process does it
					}
					if now := calls.Add(1); now == n || now > n && !once {
						hit.Store(true)
						return syscall.EIO
					}
					return nil
				})
				o := integrity.RepairOptions{From: copyOfStore(x.fs)}
				done, err := integrity.Repair(t.Context(), fsys, o)
				fsys.Fail(nil)
				if !hit.Load() {
					break
				}
				if _, err := heldBy(fsys); wasErr == nil && err != nil {
					t.Fatalf("%s, call %d fails: it had opened, and now: %v", in.name, n, err)
				}
				again, againErr := integrity.Repair(t.Context(), fsys, o)
				if againErr != nil || len(again.Left) > 0 {
					t.Fatalf("%s, call %d fails (%v): the second repair: %v, left %+v", in.name, n, err, againErr, again)
				}
				dropTmps(fsys)
				if err := differFrom(fsys, x.fs); err != nil {
					t.Fatalf("%s, call %d fails (%v, %+v): %v", in.name, n, err, done, err)
				}
				if keptAll(t, before, fsys); t.Failed() {
					t.Fatalf("%s, call %d fails (%v): %+v, then %+v; %v", in.name, n, err, done, again.Steps, fsys.Names())
				}
			}
		}
	}
}

// TestARepairedStoreOpens by package store, and holds all.
func TestARepairedStoreOpens(t *testing.T) {
	x := newFixture(t)
	for _, name := range []string{"several segments and the newest log", "garbage behind the close", "every file"} {
		i := slices.IndexFunc(harms, func(in harm) bool { return in.name == name })
		p := x.injured(t, harms[i])
		_, err := integrity.Repair(t.Context(), p.fs, integrity.RepairOptions{From: copyOfStore(x.fs)})
		testkit.Must(t, err)
		db, err := store.Open(unloadFS(t, p.fs), nil)
		testkit.Must(t, err)
		got := map[string]string{}
		for o, err := range db.Scan(store.Range{}) {
			testkit.Must(t, err)
			got[string(o.Key)] = string(o.Value)
		}
		testkit.Must(t, db.Close())
		if !maps.Equal(got, x.current()) {
			t.Errorf("%s: another content", name)
		}
	}
}

// TestACopyThatEndsBelowTheLastCloseIsRefused: of the newest log nothing is left that says how
// far it reached, but for the witness of the close. A copy of it, made before the last
// objects, is sound, and not what was acknowledged here.
func TestACopyThatEndsBelowTheLastCloseIsRefused(t *testing.T) {
	x := newFixture(t)
	for name, injure := range map[string]func(p *casualty){
		"zeroed": func(p *casualty) { p.edit(p.newest, zeroAt(0, len(p.fs.Bytes(p.newest)))) },
		"gone":   func(p *casualty) { p.remove(p.newest) },
	} {
		p := &casualty{fixture: x, TB: t, fs: x.fs.Clone()}
		p.fs.SetBytes(integrity.LockName, x.lock)
		injure(p)
		before := p.fs.Clone()
		done, err := integrity.Repair(t.Context(), p.fs, integrity.RepairOptions{From: copyOfStore(x.early)})
		testkit.Must(t, err)
		if len(done.Left) == 0 || !strings.Contains(done.Left[0].Reason, "it has the log up to") || len(done.Steps) != 0 {
			t.Errorf("%s: left: %+v, steps %+v", name, done.Left, done.Steps)
		}
		sameFiles(t, p.fs, before)
		// One that was made after the close is taken.
		done, err = integrity.Repair(t.Context(), p.fs, integrity.RepairOptions{From: copyOfStore(x.fs)})
		testkit.Must(t, err)
		if len(done.Left) != 0 {
			t.Errorf("%s: left: %+v, with the whole copy", name, done.Left)
		}
		if err := differFrom(p.fs, x.fs); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
