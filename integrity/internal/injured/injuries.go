package injured

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"

	"github.com/varve-db/varve/segment"
)

// Injury is one thing that can happen to a store.
type Injury struct {
	Name    string // as a sentence
	Crashed bool   // the store was not closed
	Hurt    func(p *Store)

	// Harmless says that no byte of a sealed segment, and none of the durable part of
	// the newest log, is another one or is gone, and no file contradicts another.
	Harmless bool

	// Undecidable says that durable bytes of the newest log are gone, together with all
	// that vouched for them.
	Undecidable bool
}

// headerOfLog is the size of the newest log's header.
const headerOfLog = 164

// lastBatch is where the last batch with objects begins.
func lastBatch(p *Store, b []byte) (off int64) {
	for _, r := range Records(p.T, b) {
		if r.Kind.Data() && r.Flags&segment.FlagCommit != 0 && r.Offset+r.Size < p.durable-segment.MarkSize {
			off = r.Offset + r.Size
		}
	}
	return off
}

// earlierClose makes the newest log what it was when it was closed for the first time.
func (p *Store) earlierClose() {
	name := LogName(6)
	p.Edited(name, func(b []byte) []byte {
		f, err := p.FS.Open(name)
		if err != nil {
			p.T.Fatal(err)
		}
		defer f.Close()
		id, err := f.Identity()
		if err != nil {
			p.T.Fatal(err)
		}
		end := lastBatch(p, b)
		seq, place := uint64(0), segment.ChecksumSeed{}
		for _, r := range Records(p.T, b[:end]) {
			seq = r.Seq + 1
		}
		r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			p.T.Fatal(err)
		}
		place, b = r.Header.ChecksumSeed(), b[:end]
		for range 2 {
			b = p.add(b, place, &segment.Record{Seq: seq, Vouch: end}, func(r *segment.Record) { r.SetClose(id.Inode, id.Birth) })
		}
		return b
	})
}

// flip flips a bit of a file's byte.
func flip(name string, at func(p *Store, b []byte) int64) func(*Store) {
	return func(p *Store) {
		p.Edited(name, func(b []byte) []byte {
			b[at(p, b)] ^= 0x10
			return b
		})
	}
}

func byteAt(n int64) func(*Store, []byte) int64 {
	return func(_ *Store, b []byte) int64 {
		if n < 0 {
			return int64(len(b)) + n
		}
		return n
	}
}

// inRecord is an offset in the first record of a kind and with the flags; what is
// one of the record's fields.
func inRecord(kind segment.RecordKind, flags segment.Flags, field func(r *segment.Record) int64) func(*Store, []byte) int64 {
	return func(p *Store, b []byte) int64 {
		for _, r := range Records(p.T, b) {
			if r.Kind == kind && r.Flags&flags == flags && r.Offset > 400 {
				return r.Offset + field(&r)
			}
		}
		p.T.Fatalf("no record of kind %v and flags %v", kind, flags)
		return 0
	}
}

func fixed(n int64) func(*segment.Record) int64 { return func(*segment.Record) int64 { return n } }

func inKey(r *segment.Record) int64 {
	return r.HeadSize() - int64(len(r.Slots)+len(r.Meta)+len(r.Key))
}
func inMeta(r *segment.Record) int64     { return r.HeadSize() - int64(len(r.Slots)+len(r.Meta)) }
func inSlots(r *segment.Record) int64    { return r.HeadSize() - 1 }
func inValue(r *segment.Record) int64    { return r.HeadSize() }
func inValueEnd(r *segment.Record) int64 { return r.Size - 1 }
func inExpiry(r *segment.Record) int64 {
	return r.HeadSize() - int64(len(r.Slots)+len(r.Meta)+len(r.Key)) - 12
}
func inCommitTime(*segment.Record) int64 { return 21 }

// inFooter is an offset after the records.
func inFooter(n int64) func(*Store, []byte) int64 {
	return func(p *Store, b []byte) int64 { return footer(p.T, b).RecordsEnd + n }
}

// forge gives the first segment the footer of one whose nth record of a kind
// was changed, with sound checksums throughout.
func forge(flags segment.Flags, change func(r *segment.Record)) func(*Store) {
	return func(p *Store) {
		b := p.Bytes(SegName(1))
		end := footer(p.T, b).RecordsEnd
		n := slices.IndexFunc(Records(p.T, b), func(r segment.Record) bool {
			return r.Kind == segment.Put && r.Flags&flags == flags && r.Offset > 400
		})
		other := p.sealed(WithRecord(p.T, b, n, change)[:end])
		p.set(SegName(1), Graft(p.T, b[:end], other))
	}
}

func cut(name string, n func(p *Store, b []byte) int64) func(*Store) {
	return func(p *Store) { p.Edited(name, func(b []byte) []byte { return b[:n(p, b)] }) }
}

func appended(name string, more []byte) func(*Store) {
	return func(p *Store) { p.Edited(name, func(b []byte) []byte { return append(b, more...) }) }
}

// tail replaces what follows the mark of a crashed store's newest log.
func tail(fn func(p *Store, tail []byte) []byte) func(*Store) {
	return func(p *Store) {
		from := p.durable + segment.MarkSize
		p.Edited(LogName(6), func(b []byte) []byte { return append(slices.Clone(b[:from]), fn(p, slices.Clone(b[from:]))...) })
	}
}

// newerHeader makes the file one of a newer format, which has its checksum over its own
// number.
func newerHeader(name string) func(*Store) {
	return func(p *Store) { p.Edited(name, asNewer) }
}

func asNewer(b []byte) []byte {
	n := binary.LittleEndian.Uint32(b[12:])
	binary.LittleEndian.PutUint16(b[8:], 2)
	binary.LittleEndian.PutUint32(b[n-4:], crc32.Checksum(b[:n-4], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// newerFooter does so with the end of a sealed file.
func newerFooter(name string) func(*Store) {
	return func(p *Store) {
		p.Edited(name, func(b []byte) []byte {
			b[len(b)-16] ^= 2 // of the checksum, which is over other bytes
			binary.LittleEndian.PutUint16(b[len(b)-12:], 2)
			return b
		})
	}
}

// foreign is a sound segment of another store, or of another timeline of this one.
func foreign(p *Store, uuid segment.UUID, r segment.Ref) []byte {
	h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: uuid, Ref: r, FirstSeq: 1, Time: p.time, NextID: r.ID + 1}}
	b := h.Append(nil)
	put := segment.Record{Kind: segment.Put, Flags: segment.FlagCommit, Key: []byte("stranger"), Seq: 1, Time: p.time + 1}
	b = h.ChecksumSeed().AppendRecord(b, int64(len(b)), &put)
	end := segment.Record{Seq: 2, Time: p.time + 2, Vouch: int64(len(b))}
	end.SetEnd(segment.Ref{Timeline: r.Timeline, ID: r.ID + 1})
	b = h.ChecksumSeed().AppendRecord(b, int64(len(b)), &end)
	return p.sealed(b)
}

var zeros = make([]byte, 4096)

// Injuries is the table. Segment 1 and 3 are sealed logs, 4 is the one with an edit, 5
// an output, 6 the newest log.
func Injuries() []Injury {
	seg, out, log := SegName(1), SegName(5), LogName(6)
	put := segment.Put
	return []Injury{
		{Name: "nothing", Hurt: func(*Store) {}, Harmless: true},
		{Name: "nothing, after a crash", Crashed: true, Hurt: func(*Store) {}, Harmless: true},

		{Name: "sealed header: a byte of the magic", Hurt: flip(seg, byteAt(3))},
		{Name: "sealed header: the kind", Hurt: flip(seg, byteAt(10))},
		{Name: "sealed header: a reserved byte", Hurt: flip(seg, byteAt(11))},
		{Name: "sealed header: its length", Hurt: flip(seg, byteAt(12))},
		{Name: "sealed header: the store's UUID", Hurt: flip(seg, byteAt(18))},
		{Name: "sealed header: the timeline", Hurt: flip(seg, byteAt(33))},
		{Name: "sealed header: the id", Hurt: flip(seg, byteAt(40))},
		{Name: "sealed header: the first sequence number", Hurt: flip(seg, byteAt(48))},
		{Name: "sealed header: the time", Hurt: flip(seg, byteAt(57))},
		{Name: "sealed header: the live set", Hurt: flip(SegName(4), byteAt(125))},
		{Name: "sealed header: the checksum", Hurt: flip(seg, byteAt(121))},
		{Name: "sealed header: the version", Hurt: flip(seg, byteAt(8))},
		{Name: "sealed header: the version's high byte", Hurt: flip(seg, byteAt(9))},
		{Name: "sealed header: a newer version", Hurt: newerHeader(seg)},

		{Name: "sealed record: the head's checksum", Hurt: flip(seg, inRecord(put, 0, fixed(1)))},
		{Name: "sealed record: the value's checksum", Hurt: flip(seg, inRecord(put, 0, fixed(5)))},
		{Name: "sealed record: the kind", Hurt: flip(seg, inRecord(put, 0, fixed(8)))},
		{Name: "sealed record: the flags", Hurt: flip(seg, inRecord(put, 0, fixed(9)))},
		{Name: "sealed record: the key's length", Hurt: flip(seg, inRecord(put, 0, fixed(10)))},
		{Name: "sealed record: the value's length", Hurt: flip(seg, inRecord(put, 0, fixed(13)))},
		{Name: "sealed record: the sequence number", Hurt: flip(seg, inRecord(put, 0, fixed(16)))},
		{Name: "sealed record: the commit time", Hurt: flip(seg, inRecord(put, segment.FlagCommit, inCommitTime))},
		{Name: "sealed record: the mark", Hurt: flip(seg, inRecord(put, segment.FlagVouch, fixed(20)))},
		{Name: "sealed record: the key", Hurt: flip(seg, inRecord(put, 0, inKey))},
		{Name: "sealed record: the meta", Hurt: flip(seg, inRecord(put, segment.FlagMeta, inMeta))},
		{Name: "sealed record: the slots", Hurt: flip(seg, inRecord(put, segment.FlagSlots, inSlots))},
		{Name: "sealed record: the expiry", Hurt: flip(seg, inRecord(put, segment.FlagExpiry, inExpiry))},
		{Name: "sealed record: the first byte of a value", Hurt: flip(seg, inRecord(put, 0, inValue))},
		{Name: "sealed record: the last byte of a value", Hurt: flip(seg, inRecord(put, 0, inValueEnd))},
		{Name: "sealed record: a deletion's key", Hurt: flip(seg, inRecord(segment.Delete, 0, inKey))},
		{Name: "sealed record: the end record", Hurt: flip(seg, inRecord(segment.End, 0, inValue))},
		{Name: "sealed record: the edit", Hurt: flip(SegName(4), inRecord(segment.Edit, 0, inValue))},
		{Name: "output: the key of a record", Hurt: flip(out, inRecord(put, 0, inKey))},
		{Name: "output: a value", Hurt: flip(out, inRecord(put, 0, inValue))},

		{Name: "footer: the count of a table block", Hurt: flip(seg, inFooter(1))},
		{Name: "footer: an entry of the table", Hurt: flip(seg, inFooter(40))},
		{Name: "footer: an entry of an output's table", Hurt: flip(out, inFooter(40))},
		{Name: "footer: the block index", Hurt: flip(seg, byteAt(-190))},
		{Name: "footer: the counts", Hurt: flip(seg, byteAt(-120))},
		{Name: "footer: the digest", Hurt: flip(seg, byteAt(-30))},
		{Name: "footer: the trailer's checksum", Hurt: flip(seg, byteAt(-14))},
		{Name: "footer: the magic", Hurt: flip(seg, byteAt(-3))},
		{Name: "footer: the version", Hurt: flip(seg, byteAt(-12))},
		{Name: "footer: a newer version", Hurt: newerFooter(seg)},
		{Name: "forged table: an entry of another key", Hurt: forge(0, func(r *segment.Record) { r.Key = bytes.ToUpper(r.Key) })},
		{Name: "forged table: an entry with other slots", Hurt: forge(segment.FlagSlots, func(r *segment.Record) {
			r.Slots = segment.AppendSlots(nil, []segment.Slot{{Number: 1, Value: []byte("SLOT value")}})
		})},
		{Name: "forged table: an entry with another expiry", Hurt: forge(segment.FlagExpiry, func(r *segment.Record) { r.Expiry++ })},
		{Name: "forged table: an entry with other flags", Hurt: forge(0, func(r *segment.Record) { r.Flags ^= segment.FlagMsgpack })},
		{Name: "forged record: another value, with sound checksums", Hurt: func(p *Store) {
			p.Edited(SegName(1), func(b []byte) []byte {
				return WithRecord(p.T, b, 3, func(r *segment.Record) { r.Value = bytes.ToUpper(r.Value) })
			})
		}},

		{Name: "sealed file: cut within the footer", Hurt: cut(seg, byteAt(-60))},
		{Name: "sealed file: cut within the records", Hurt: cut(seg, inRecord(put, 0, inValue))},
		{Name: "sealed file: cut to its header", Hurt: cut(seg, byteAt(124))},
		{Name: "sealed file: cut to nothing", Hurt: cut(seg, byteAt(0))},
		{Name: "sealed file: grown by zeros", Hurt: appended(seg, zeros[:512])},
		{Name: "sealed file: grown by one byte", Hurt: appended(seg, []byte{7})},
		{Name: "sealed file: filled with zeros", Hurt: func(p *Store) { p.Edited(seg, func(b []byte) []byte { clear(b); return b }) }},
		{Name: "sealed file: a sector of zeros, as in a sparse hole", Hurt: func(p *Store) {
			p.Edited(seg, func(b []byte) []byte { clear(b[512:1024]); return b })
		}},
		{Name: "sealed file: two sectors exchanged", Hurt: func(p *Store) {
			p.Edited(seg, func(b []byte) []byte {
				x := slices.Clone(b[:512])
				copy(b[128:640], b[640:1152])
				copy(b[640:1152], x[:512])
				return b
			})
		}},
		{Name: "sealed file: a sector of another segment, misdirected", Hurt: func(p *Store) {
			p.Edited(seg, func(b []byte) []byte { copy(b[512:1024], p.Bytes(SegName(3))[512:1024]); return b })
		}},
		{Name: "sealed file: missing", Hurt: func(p *Store) { p.remove(seg) }},
		{Name: "output: missing", Hurt: func(p *Store) { p.remove(out) }},
		{Name: "sealed file: that of another one in its place", Hurt: func(p *Store) { p.set(seg, p.Bytes(SegName(3))) }},
		{Name: "sealed file: two have exchanged their names", Harmless: true, Hurt: func(p *Store) {
			a, b := p.Bytes(seg), p.Bytes(SegName(3))
			p.set(seg, b)
			p.set(SegName(3), a)
		}},
		{Name: "sealed file: twice, under another name", Hurt: func(p *Store) { p.Put(SegName(9), p.Bytes(seg), 0o400) }},
		{Name: "sealed file: that of another store in its place", Hurt: func(p *Store) { p.set(seg, foreign(p, segment.UUID{9}, ref(1))) }},
		{Name: "sealed file: that of another store beside", Harmless: true, Hurt: func(p *Store) { p.Put(SegName(9), foreign(p, segment.UUID{9}, ref(9)), 0o400) }},
		{Name: "sealed file: that of another timeline in its place", Hurt: func(p *Store) { p.set(seg, foreign(p, p.uuid, segment.Ref{Timeline: 5, ID: 1})) }},
		{Name: "sealed file: that of another timeline beside", Harmless: true, Hurt: func(p *Store) {
			p.Put(SegName(2), foreign(p, p.uuid, segment.Ref{Timeline: 5, ID: 2}), 0o400)
		}},
		{Name: "sealed file: another mode", Harmless: true, Hurt: func(p *Store) { p.chmod(seg, 0o644) }},
		{Name: "sealed file: the name of a log", Harmless: true, Hurt: func(p *Store) { p.Rename(seg, LogName(1)) }},
		{Name: "a file that is not the store's", Harmless: true, Hurt: func(p *Store) { p.Put("notes.txt", []byte("hello"), 0o600) }},
		{Name: "an unfinished file", Harmless: true, Hurt: func(p *Store) { p.Put("00000000000000000009.tmp", []byte("half"), 0o600) }},
		{Name: "the memory of scrub is damaged", Harmless: true, Hurt: func(p *Store) { p.Put("scrub.json", []byte("{"), 0o600) }},

		{Name: "newest log: its header", Hurt: flip(log, byteAt(50))},
		{Name: "newest log: the live set in its header", Hurt: flip(log, byteAt(130))},
		{Name: "newest log: a durable key", Hurt: flip(log, inRecord(put, 0, inKey))},
		{Name: "newest log: a durable value", Hurt: flip(log, inRecord(put, 0, inValue))},
		{Name: "newest log: a durable length", Hurt: flip(log, inRecord(put, 0, fixed(14)))},
		{Name: "newest log: the version", Hurt: flip(log, byteAt(8))},
		{Name: "newest log: a newer version", Hurt: newerHeader(log)},
		{Name: "newest log: a sector of zeros in the durable part", Hurt: func(p *Store) {
			p.Edited(log, func(b []byte) []byte { clear(b[300:700]); return b })
		}},
		{Name: "newest log: the first close record", Harmless: true, Hurt: flip(log, byteAt(-2*segment.CloseSize+9))},
		{Name: "newest log: the last close record", Harmless: true, Hurt: flip(log, byteAt(-segment.CloseSize+9))},
		{Name: "newest log: both close records", Harmless: true, Hurt: func(p *Store) {
			flip(log, byteAt(-segment.CloseSize+9))(p)
			flip(log, byteAt(-2*segment.CloseSize+9))(p)
		}},
		{Name: "newest log: cut before the close records", Harmless: true, Hurt: cut(log, byteAt(-2*segment.CloseSize))},
		{Name: "newest log: its last sector, zeros", Hurt: func(p *Store) {
			p.Edited(log, func(b []byte) []byte { clear(b[len(b)-512:]); return b })
		}},
		{Name: "newest log: its last sector, garbage", Hurt: func(p *Store) {
			p.Edited(log, func(b []byte) []byte { copy(b[len(b)-512:], bytes.Repeat([]byte("garbage!"), 64)); return b })
		}},
		{Name: "newest log: cut in the last sector", Hurt: cut(log, byteAt(-512))},
		{Name: "newest log: cut after a whole batch", Hurt: cut(log, lastBatch)},
		{Name: "newest log: as it was at an earlier close", Hurt: func(p *Store) { p.earlierClose() }},
		{Name: "newest log: cut to its header", Hurt: cut(log, byteAt(headerOfLog))},
		{Name: "newest log: cut to nothing", Hurt: cut(log, byteAt(0))},
		{Name: "newest log: filled with zeros", Hurt: func(p *Store) { p.Edited(log, func(b []byte) []byte { clear(b); return b }) }},
		{Name: "newest log: missing, with the end of the log before it", Hurt: func(p *Store) {
			p.remove(log)
			b := p.Bytes(SegName(4))
			p.remove(SegName(4))
			p.Put(LogName(4), b[:footer(p.T, b).RecordsEnd-segment.EndSize], 0o600)
		}},
		{Name: "newest log: its last sector, zeros, without a witness", Undecidable: true, Hurt: func(p *Store) {
			p.Edited(log, func(b []byte) []byte { clear(b[len(b)-512:]); return b })
			p.remove(segment.LockName)
		}},
		{Name: "newest log: cut to nothing, without a witness", Undecidable: true, Hurt: func(p *Store) {
			p.set(log, nil)
			p.remove(segment.LockName)
		}},
		{Name: "LOCK: missing", Harmless: true, Hurt: func(p *Store) { p.remove(segment.LockName) }},
		{Name: "LOCK: who holds it", Harmless: true, Hurt: flip(segment.LockName, byteAt(3))},
		{Name: "LOCK: a byte of the witness", Harmless: true, Hurt: flip(segment.LockName, byteAt(segment.WitnessOffset+50))},
		{Name: "LOCK: a later version of the witness", Harmless: true, Hurt: func(p *Store) {
			p.Edited(segment.LockName, func(b []byte) []byte {
				w := b[segment.WitnessOffset:]
				w[8]++
				binary.LittleEndian.PutUint32(w[segment.WitnessSize-4:], crc32.Checksum(w[:segment.WitnessSize-4], crc32.MakeTable(crc32.Castagnoli)))
				return b
			})
		}},
		{Name: "LOCK: cut to nothing", Harmless: true, Hurt: cut(segment.LockName, byteAt(0))},
		{Name: "LOCK: cut within the witness", Harmless: true, Hurt: cut(segment.LockName, byteAt(segment.WitnessOffset+30))},
		{Name: "LOCK: the witness of an earlier close", Harmless: true, Hurt: func(p *Store) { p.witness(ref(6), headerOfLog, p.first6-1) }},
		{Name: "LOCK: the witness of an earlier log", Harmless: true, Hurt: func(p *Store) { p.witness(ref(4), 1<<20, p.seq-1) }},
		{Name: "LOCK: the witness of a log of another timeline", Harmless: true, Hurt: func(p *Store) {
			p.witness(segment.Ref{Timeline: 5, ID: 9}, 1<<20, 1<<20)
		}},
		{Name: "LOCK: that of another store", Harmless: true, Hurt: func(p *Store) {
			p.uuid[0]++
			p.witness(ref(6), 1<<20, 1<<20)
			p.uuid[0]--
		}},
		{Name: "newest log: grown by zeros", Harmless: true, Hurt: appended(log, zeros[:512])},
		{Name: "newest log: grown by garbage", Harmless: true, Hurt: appended(log, bytes.Repeat([]byte("garbage!"), 64))},
		{Name: "newest log: missing", Hurt: func(p *Store) { p.remove(log) }},
		{Name: "newest log: a copy of the file", Harmless: true, Hurt: func(p *Store) {
			b := p.Bytes(log)
			p.remove(log)
			p.Put(log, b, 0o600)
		}},
		{Name: "newest log: two of them", Hurt: func(p *Store) {
			b := foreign(p, p.uuid, segment.Ref{Timeline: 5, ID: 7})
			p.Put(LogName(7), b[:footer(p.T, b).RecordsEnd-segment.EndSize], 0o600)
		}},
		{Name: "newest log: the next one is prepared", Harmless: true, Hurt: func(p *Store) { p.Put(LogName(7), nil, 0o600) }},

		{Name: "after a crash: a durable value", Crashed: true, Hurt: flip(log, inRecord(put, 0, inValue))},
		{Name: "after a crash: a durable head", Crashed: true, Hurt: flip(log, inRecord(put, 0, fixed(9)))},
		{Name: "after a crash: a byte of the last mark", Crashed: true, Harmless: true, Hurt: func(p *Store) {
			p.Edited(log, func(b []byte) []byte { b = b[:p.durable+segment.MarkSize]; b[p.durable+9] ^= 1; return b })
		}},
		{Name: "torn tail: cut within a record", Crashed: true, Harmless: true, Hurt: tail(func(_ *Store, b []byte) []byte { return b[:len(b)-30] })},
		{Name: "torn tail: a batch without its last record", Crashed: true, Harmless: true, Hurt: tail(func(p *Store, b []byte) []byte {
			list := Records(p.T, p.Bytes(log))
			for _, r := range slices.Backward(list) {
				if !r.Commit() && r.Offset > p.durable {
					return b[:r.Offset+r.Size-p.durable-segment.MarkSize]
				}
			}
			return nil
		})},
		{Name: "torn tail: zeros", Crashed: true, Harmless: true, Hurt: tail(func(_ *Store, b []byte) []byte { clear(b); return b })},
		{Name: "torn tail: zeros after the first half", Crashed: true, Harmless: true, Hurt: tail(func(_ *Store, b []byte) []byte { clear(b[len(b)/2:]); return b })},
		{Name: "torn tail: garbage", Crashed: true, Harmless: true, Hurt: tail(func(_ *Store, b []byte) []byte {
			return bytes.Repeat([]byte("garbage!"), len(b)/8)
		})},
		{Name: "torn tail: what an older file had there", Crashed: true, Harmless: true, Hurt: tail(func(p *Store, b []byte) []byte {
			return p.Bytes(SegName(3))[200 : 200+len(b)]
		})},
		{Name: "torn tail: its first bytes missing, the rest there", Crashed: true, Harmless: true, Hurt: tail(func(_ *Store, b []byte) []byte { clear(b[:60]); return b })},
	}
}
