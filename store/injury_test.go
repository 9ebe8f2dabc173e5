package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/crashfs"
)

// ground is a store of a few small segments on which an injury is tried.
type ground struct {
	*testing.T
	fs     *crashfs.FS
	want   map[string]string
	sealed []string // names, in order
	newest string
}

var small = Options{SegmentSize: 4 << 10}

// newGround builds a store and closes it, or ends its process with everything
// on the disk.
func newGround(t *testing.T, killed bool) *ground {
	g := &ground{T: t, fs: crashfs.New(), want: map[string]string{}}
	synctest.Test(t, func(t *testing.T) {
		db := mustOpen(t, g.fs, small)
		for i := range 60 {
			k, v := fmt.Sprintf("key %d", i%45), fmt.Sprintf("%d %0200d", i, i)
			mustPut(t, db, k, v)
			g.want[k] = v
		}
		synctest.Wait() // for the seals
		if killed {
			g.fs = g.fs.Crash(1, crashfs.Kind{Data: crashfs.DataAll, Names: crashfs.NamesAll})
		}
		mustClose(t, db)
	})
	g.look()
	return g
}

// look finds the files.
func (g *ground) look() {
	g.Helper()
	g.sealed, g.newest = nil, ""
	s, err := integrity.Survey(g.fs)
	if err != nil {
		g.Fatal(err)
	}
	for _, e := range s.Files {
		if e.Sealed {
			g.sealed = append(g.sealed, e.Name)
		}
	}
	g.newest = s.NewestLog().Name
}

func (g *ground) remove(name string) {
	g.Helper()
	if err := g.fs.Remove(name); err != nil {
		g.Fatal(err)
	}
}

// edit replaces a file's bytes by what fn makes of them.
func (g *ground) edit(name string, fn func(b []byte) []byte) {
	g.fs.SetBytes(name, fn(g.fs.Bytes(name)))
}

// add appends to the newest log.
func (g *ground) add(b []byte) {
	g.edit(g.newest, func(was []byte) []byte { return append(was, b...) })
}

// stranger returns a file of another store.
func (g *ground) stranger(sealed bool) []byte {
	o := newGround(g.T, true)
	if sealed {
		return o.fs.Bytes(o.sealed[0])
	}
	return o.fs.Bytes(o.newest)
}

func contains(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, name) })
}

// errDamage stands for a *CorruptError in the table.
var errDamage = errors.New("damage")

// injuries is what can have happened to a store, and what an open makes of it.
var injuries = []struct {
	name   string
	killed bool
	do     func(g *ground)
	err    error  // that the open must give
	says   string // and its message must contain
	opt    Options
	finds  func(g *ground, r OpenReport) bool // of a good open, that holds all
}{
	{name: "a sealed segment is missing", do: func(g *ground) { g.remove(g.sealed[1]) }, err: ErrMissing, says: "00000000000000000002"},
	{name: "a segment of another store lies beside ours", do: func(g *ground) { g.fs.SetBytes("00000000000000000099.seg", g.stranger(true)) },
		finds: func(g *ground, r OpenReport) bool { return contains(r.LeftAlone, "99.seg") }},
	{name: "a log of another store lies beside ours", do: func(g *ground) { g.fs.SetBytes("00000000000000000099.open", g.stranger(false)) },
		finds: func(g *ground, r OpenReport) bool { return contains(r.LeftAlone, "99.open") }},
	{name: "a segment of another store has the name of one of ours", do: func(g *ground) { g.fs.SetBytes(g.sealed[1], g.stranger(true)) },
		err: ErrMissing, says: "00000000000000000002"},
	{name: "a log of another store has the name of our newest, which was closed", do: func(g *ground) { g.fs.SetBytes(g.newest, g.stranger(false)) },
		err: ErrLostLog},
	{name: "a log of another store has the name of our newest, which was not closed", killed: true, do: func(g *ground) { g.fs.SetBytes(g.newest, g.stranger(false)) },
		finds: func(g *ground, r OpenReport) bool {
			return r.Cut != nil && contains([]string{r.Cut.Kept}, ".torn") && g.forget()
		}},
	{name: "a segment is there twice", do: func(g *ground) { g.fs.SetBytes("00000000000000000099.seg", g.fs.Bytes(g.sealed[1])) },
		err: errDamage, says: "99.seg"},
	{name: "a log has the name of another", do: func(g *ground) {
		g.fs.SetBytes("00000000000000000099.open", g.fs.Bytes(g.newest))
		g.remove(g.newest)
	}, err: errDamage, says: "99.open"},
	{name: "a damaged version of a segment", do: func(g *ground) { g.edit(g.sealed[1], flipped(8)) }, err: errDamage, says: "02.seg"},
	{name: "a damaged version of the newest log", do: func(g *ground) { g.edit(g.newest, flipped(8)) }, err: errDamage, says: "damage"},
	{name: "a segment is of a newer version", do: func(g *ground) { g.edit(g.sealed[1], newer) }, err: ErrVersion, says: "02.seg"},
	{name: "the newest log is of a newer version", do: func(g *ground) { g.edit(g.newest, newer) }, err: ErrVersion, says: ".open"},
	{name: "the newest log is lost", do: func(g *ground) { g.remove(g.newest) }, err: ErrLostLog},
	{name: "the loss of the newest log is accepted", do: func(g *ground) { g.remove(g.newest) }, opt: Options{AcceptLostLog: true},
		finds: func(g *ground, r OpenReport) bool {
			return r.Begun != nil && strings.Contains(r.Begun.Why, "lost") && g.forget()
		}},
	{name: "a lost log comes back after its loss was accepted", do: func(g *ground) {
		b := g.fs.Bytes(g.newest)
		g.remove(g.newest)
		mustClose(g, mustOpen(g, g.fs, Options{SegmentSize: 4 << 10, AcceptLostLog: true}))
		g.fs.SetBytes(g.newest, b)
	}, finds: func(g *ground, r OpenReport) bool {
		return contains(r.LeftAlone, g.newest) && g.fs.Bytes(g.newest) != nil && g.forget()
	}},
	{name: "two segments have each other's names", do: func(g *ground) {
		a, b := g.fs.Bytes(g.sealed[0]), g.fs.Bytes(g.sealed[1])
		g.fs.SetBytes(g.sealed[0], b)
		g.fs.SetBytes(g.sealed[1], a)
	}},
	{name: "a next log was prepared", do: func(g *ground) { g.fs.SetBytes("00000000000000000099.open", nil) },
		finds: func(g *ground, r OpenReport) bool {
			return contains(r.Removed, "99.open") && !contains(g.fs.Names(), "99.open")
		}},
	{name: "an unfinished file is left", killed: true, do: func(g *ground) { g.fs.SetBytes("00000000000000000099.tmp", []byte("varve")) },
		finds: func(g *ground, r OpenReport) bool {
			return contains(r.Removed, "99.tmp") && !contains(g.fs.Names(), "99.tmp")
		}},
	{name: "a file that is none of ours", do: func(g *ground) { g.fs.SetBytes("notes.txt", []byte("mine")) },
		finds: func(g *ground, r OpenReport) bool {
			return contains(r.LeftAlone, "notes.txt") && g.fs.Bytes("notes.txt") != nil
		}},
	{name: "the tail is zeros", killed: true, do: func(g *ground) { g.add(make([]byte, 3000)) }, finds: torn},
	{name: "the tail is garbage", killed: true, do: func(g *ground) { g.add([]byte(strings.Repeat("\x01garbage", 300))) }, finds: torn},
	{name: "the tail is a stale part of the same log", killed: true, do: func(g *ground) { b := g.fs.Bytes(g.newest); g.add(b[len(b)/2:]) }, finds: torn},
	{name: "the tail is a whole other segment", killed: true, do: func(g *ground) { g.add(g.fs.Bytes(g.sealed[1])) }, finds: torn},
	{name: "garbage follows a clean close", do: func(g *ground) { g.add([]byte("garbage")) }, finds: torn},
	{name: "a hole in a sealed segment", do: func(g *ground) {
		g.edit(g.sealed[1], func(b []byte) []byte { clear(b[:512]); return b })
	}, err: errDamage, says: "02.seg"},
	{name: "the header of the newest log, which a roll began", do: func(g *ground) { g.edit(g.newest, flipped(70)) }, err: errDamage, says: "damage"},
	{name: "a sealed segment without a byte", do: func(g *ground) { g.fs.SetBytes(g.sealed[1], nil) }, err: errDamage, says: "02.seg"},
	{name: "no log at all", do: func(g *ground) { g.remove(g.newest); removeAll(g, g.sealed) }, opt: Options{MustExist: true}, err: errAny},
}

// errAny stands for any error in the table.
var errAny = errors.New("any")

// newer makes a segment one of a newer format, which has its checksum over its own number.
func newer(b []byte) []byte {
	n := binary.LittleEndian.Uint32(b[12:])
	b[8]++
	binary.LittleEndian.PutUint32(b[n-4:], crc32.Checksum(b[:n-4], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func flipped(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[at] ^= 4; return b }
}

func removeAll(g *ground, names []string) {
	for _, n := range names {
		g.remove(n)
	}
}

// forget takes back what only the newest log had, and says so with true.
func (g *ground) forget() bool { g.want = nil; return true }

func torn(g *ground, r OpenReport) bool {
	return r.Cut != nil && r.Begun != nil && contains(g.fs.Names(), ".torn") && !r.Clean
}

func TestInjuries(t *testing.T) {
	for _, in := range injuries {
		t.Run(in.name, func(t *testing.T) {
			g := newGround(t, in.killed)
			in.do(g)
			o := small
			o.MustExist, o.AcceptLostLog = in.opt.MustExist, in.opt.AcceptLostLog
			before := files(g.fs)
			if r, err := openReader(g.fs, resolve(t, o)); err == nil {
				r.Close()
			}
			if err := unchanged(g.fs, before); err != nil {
				t.Errorf("a reader %v", err)
			}
			db, err := openFS(g.fs, resolve(t, o))
			if in.err != nil {
				if err == nil {
					t.Fatalf("opened: %+v", db.OpenReport())
				}
				if in.err != errAny && !(in.err == errDamage && isDamage(err) || errors.Is(err, in.err)) || !strings.Contains(err.Error(), in.says) {
					t.Errorf("%v; want %v that names %q", err, in.err, in.says)
				}
				if err := unchanged(g.fs, before); err != nil {
					t.Errorf("the open that failed %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if in.finds != nil && !in.finds(g, db.OpenReport()) {
				t.Errorf("report: %+v; files: %v", db.OpenReport(), g.fs.Names())
			}
			g.goOn(db)
		})
	}
}

// goOn checks what an open store holds, if that is known, and that it goes on.
func (g *ground) goOn(db *DB) {
	g.Helper()
	if g.want != nil {
		mustHold(g, db, g.want)
	} else {
		all, err := readAll(db)
		if err != nil {
			g.Fatal(err)
		}
		g.want = map[string]string{}
		for k, o := range all {
			g.want[k] = string(o.Value)
		}
	}
	mustPut(g, db, "more", "more")
	g.want["more"] = "more"
	mustClose(g, db)
	db = mustOpen(g, g.fs, small)
	defer db.Close()
	if !db.OpenReport().Clean {
		g.Errorf("opened again: %+v", db.OpenReport())
	}
	mustHold(g, db, g.want)
}

// The first roll of a store may be torn so that another store's header shows.
func TestTornFirstWriteToTheSecondLog(t *testing.T) {
	g := &ground{T: t, fs: crashfs.New(), want: map[string]string{"a": strings.Repeat("a", 3000)}}
	db := mustOpen(t, g.fs, small)
	mustPut(t, db, "a", g.want["a"])
	mustPut(t, db, "b", strings.Repeat("b", 3000))
	g.fs = g.fs.Crash(1, crashfs.Kind{Data: crashfs.DataAll, Names: crashfs.NamesAll})
	mustClose(t, db)
	g.look()
	g.fs.SetBytes(g.newest, g.stranger(false)[:512])
	r, err := openReader(g.fs, resolve(t, small))
	if err != nil {
		t.Fatal(err)
	}
	mustHold(t, r, g.want)
	mustClose(t, r)
	g.goOn(mustOpen(t, g.fs, small))
}
