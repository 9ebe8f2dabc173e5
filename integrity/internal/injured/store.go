package injured

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Store is a store to be injured, which has one of everything: batches, marks,
// deletions, meta, slots, expiry, an output with the edit that adopted it, a
// newest log that was closed in order or, after a crash, was not.
//
//	1 2 3  logs, sealed
//	4      log, sealed; it has the edit "retire 2, adopt 5"
//	5      output: what was in 2
//	6      the newest log
type Store struct {
	T       testing.TB
	FS      *crashfs.FS
	uuid    segment.UUID
	seq     uint64
	time    int64
	live    []segment.Ref
	files   map[segment.ID][]byte
	Objects []segment.Record // all puts and deletes, in order
	durable int64            // of the newest log
	Tail    uint64           // the first sequence number after it
	first6  uint64           // the first sequence number of the newest log
}

const timeline = 0xabcdef

func ref(id segment.ID) segment.Ref { return segment.Ref{Timeline: timeline, ID: id} }

// SegName is the name of a sealed segment.
func SegName(id segment.ID) string { return id.String() + ".seg" }

// LogName is the name of a log.
func LogName(id segment.ID) string { return id.String() + ".open" }

// New builds the store. A store that crashed has a mark in its newest log, and
// after it writes that nothing vouches for.
func New(t testing.TB, crashed bool) *Store {
	p := &Store{T: t, FS: crashfs.New(), uuid: segment.UUID{1, 2, 3, 4}, seq: 1, time: 1_700_000_000_000_000_000, files: map[segment.ID][]byte{}}
	for id := segment.ID(1); id <= 4; id++ {
		b, place := p.begin(id)
		for i := range 8 {
			b = p.commit(b, place, int(id)*8+i)
		}
		if id == 4 {
			b = p.edit(b, place)
		}
		next := id + 1
		if id == 4 {
			next = 6
		}
		b = p.add(b, place, &segment.Record{Seq: p.seq, Vouch: int64(len(b))}, func(r *segment.Record) { r.SetEnd(ref(next)) })
		p.files[id] = p.sealed(b)
		if id != 4 {
			p.live = append(p.live, ref(id))
		}
	}
	p.live = []segment.Ref{ref(1), ref(3), ref(4), ref(5)}
	delete(p.files, 2)
	for id, b := range p.files {
		p.Put(SegName(id), b, 0o400)
	}
	p.first6 = p.seq
	b, place := p.begin(6)
	for i := range 8 {
		b = p.commit(b, place, 100+i)
	}
	p.durable, p.Tail = int64(len(b)), p.seq
	b = p.add(b, place, &segment.Record{Kind: segment.Mark, Flags: segment.FlagCommit | segment.FlagVouch, Seq: p.seq, Vouch: p.durable}, nil)
	p.Put(LogName(6), b, 0o600)
	if crashed {
		for i := range 6 {
			b = p.commit(b, place, 201+2*i) // odd: they vouch for nothing
		}
	} else {
		f, err := p.FS.Open(LogName(6))
		if err != nil {
			t.Fatal(err)
		}
		id, err := f.Identity()
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		p.durable = int64(len(b))
		for range 2 {
			b = p.add(b, place, &segment.Record{Seq: p.seq, Vouch: p.durable}, func(r *segment.Record) { r.SetClose(id.Inode, id.Birth) })
		}
	}
	if crashed { // what it held since the close before that
		p.witness(ref(4), 1<<10, p.first6-1)
	} else {
		p.witness(ref(6), p.durable, p.seq-1)
	}
	p.set(LogName(6), b)
	p.files[6] = b
	return p
}

// witness has LOCK say how a log was closed.
func (p *Store) witness(log segment.Ref, off int64, last uint64) {
	w := segment.Witness{UUID: p.uuid, Ref: log, Offset: off, LastSeq: last, Time: p.time}
	p.set(segment.LockName, w.Append(vfs.HolderBlock("pid 1, since then")))
}

// begin returns the header of a log.
func (p *Store) begin(id segment.ID) ([]byte, segment.ChecksumSeed) {
	live := slices.Clone(p.live)
	next := id + 1
	if id == 4 {
		next = 6 // 5 is the output's
	}
	p.time += int64(time.Millisecond) // as by a clock
	h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: p.uuid, Ref: ref(id), FirstSeq: p.seq, Time: p.time, NextID: next}, Live: segment.SetOf(live...)}
	return h.Append(nil), h.ChecksumSeed()
}

// add appends a record, with the next commit time if it ends a batch.
func (p *Store) add(b []byte, place segment.ChecksumSeed, r *segment.Record, fn func(*segment.Record)) []byte {
	if fn != nil {
		fn(r)
	}
	if r.Commit() {
		p.time += int64(time.Millisecond) // as by a clock
		r.Time = p.time
	}
	if err := r.Check(); r.Kind.Data() && err != nil {
		p.T.Fatal(err)
	}
	return place.AppendRecord(b, int64(len(b)), r)
}

// commit appends a batch of one to three records, which vouches for what was
// before it if n is even.
func (p *Store) commit(b []byte, place segment.ChecksumSeed, n int) []byte {
	records := 1 + n%3
	for i := range records {
		r := segment.Record{Kind: segment.Put, Key: fmt.Appendf(nil, "key %d", (n*7+i*3)%40), Seq: p.seq, Value: bytes.Repeat([]byte{byte('a' + n%26)}, 40+5*i)}
		if i == 0 && n%2 == 0 {
			r.Flags, r.Vouch = segment.FlagVouch, int64(len(b))
		}
		switch {
		case n%8 == 3 && i == 0:
			r.Kind, r.Value = segment.Delete, nil
		case n%8 == 4:
			r.Meta, r.Slots, r.Expiry = []byte{0x81, 0xa1, 'm', 0x01}, segment.AppendSlots(nil, []segment.Slot{{Number: 1, Value: []byte("slot value")}}), 1<<60
		}
		if i == records-1 {
			r.Flags |= segment.FlagCommit
		}
		b = p.add(b, place, &r, nil)
		p.seq++
		c := r
		p.Objects = append(p.Objects, c)
	}
	return b
}

// edit appends the edit that puts an output of segment 2 in its place.
func (p *Store) edit(b []byte, place segment.ChecksumSeed) []byte {
	old := p.files[2]
	r, err := segment.NewReader(bytes.NewReader(old), int64(len(old)))
	if err != nil {
		p.T.Fatal(err)
	}
	f, err := r.OpenFooter()
	if err != nil {
		p.T.Fatal(err)
	}
	h := &segment.Header{Head: segment.Head{Kind: segment.Output, UUID: p.uuid, Ref: ref(5), FirstSeq: f.FirstSeq, Time: p.time}}
	out := h.Append(nil)
	for c := f.Cursor(); c.Next(); {
		rec, err := r.RecordAt(c.Entry.Offset, f.RecordsEnd)
		if err != nil {
			p.T.Fatal(err)
		}
		rec.Flags &^= segment.FlagCommit | segment.FlagVouch
		out = h.ChecksumSeed().AppendRecord(out, int64(len(out)), rec)
	}
	p.files[5] = p.sealed(out)
	return p.add(b, place, &segment.Record{Seq: p.seq}, func(r *segment.Record) {
		r.SetEdit(segment.EditSet{Retire: []segment.Ref{ref(2)}, Adopt: []segment.Ref{ref(5)}})
	})
}

// sealed returns a segment with its footer.
func (p *Store) sealed(b []byte) []byte {
	p.T.Helper()
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		p.T.Fatal(err)
	}
	footer, _, err := r.Seal(int64(len(b)))
	if err != nil {
		p.T.Fatal(err)
	}
	return append(slices.Clone(b), footer...)
}

// Put makes a file with a mode.
func (p *Store) Put(name string, b []byte, mode fs.FileMode) {
	p.T.Helper()
	p.FS.SetBytes(name, b)
	p.chmod(name, mode)
}

func (p *Store) chmod(name string, mode fs.FileMode) {
	p.T.Helper()
	f, err := p.FS.Open(name)
	if err == nil {
		err = errors.Join(f.Chmod(mode), f.Close())
	}
	if err != nil {
		p.T.Fatal(err)
	}
}

// View is the store as check sees it.
func (p *Store) View() fs.FS { return vfs.AsFS(p.FS) }

// Bytes returns a copy of what a file holds.
func (p *Store) Bytes(name string) []byte { return slices.Clone(p.FS.Bytes(name)) }

// set replaces a file's content; it stays the same file.
func (p *Store) set(name string, b []byte) { p.FS.SetBytes(name, b) }

// Edited replaces a file's content by what fn makes of it.
func (p *Store) Edited(name string, fn func(b []byte) []byte) { p.set(name, fn(p.Bytes(name))) }

func (p *Store) remove(name string) {
	p.T.Helper()
	if err := p.FS.Remove(name); err != nil {
		p.T.Fatal(err)
	}
}

// Rename gives a file another name.
func (p *Store) Rename(from, to string) {
	p.T.Helper()
	if err := p.FS.Rename(from, to); err != nil {
		p.T.Fatal(err)
	}
}

// Records returns the records of a segment's bytes, in order.
func Records(t testing.TB, b []byte) (list []segment.Record) {
	t.Helper()
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	span := segment.Span{Depth: segment.CheckValues}
	if f, err := r.OpenFooter(); err == nil {
		span.To = f.RecordsEnd
	}
	for rec, err := range r.Records(span) {
		if err != nil {
			t.Fatal(err)
		}
		c := *rec
		c.Key, c.Meta, c.Slots = slices.Clone(rec.Key), slices.Clone(rec.Meta), slices.Clone(rec.Slots)
		list = append(list, c)
	}
	return list
}

// footer returns the footer of a sealed segment's bytes.
func footer(t testing.TB, b []byte) *segment.Footer {
	t.Helper()
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.OpenFooter()
	if err != nil {
		t.Fatal(err)
	}
	return f
}
