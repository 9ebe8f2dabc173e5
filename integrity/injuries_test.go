package integrity

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"

	"github.com/varve-db/varve/segment"
)

// injury is one thing that can happen to a store.
type injury struct {
	name    string // as a sentence
	crashed bool   // the store was not closed
	hurt    func(p *sick)

	// harmless says that no byte of a sealed segment, and none of the durable part of
	// the newest log, is another one or is gone, and no file contradicts another.
	harmless bool

	// undecidable says that durable bytes of the newest log are gone, together with all
	// that vouched for them.
	undecidable bool
}

// headerOfLog is the size of the newest log's header.
const headerOfLog = 164

// lastBatch is where the last batch with objects begins.
func lastBatch(p *sick, b []byte) (off int64) {
	for _, r := range records(p.t, b) {
		if r.Kind.Data() && r.Flags&segment.FlagCommit != 0 && r.Offset+r.Size < p.durable-segment.MarkSize {
			off = r.Offset + r.Size
		}
	}
	return off
}

// earlierClose makes the newest log what it was when it was closed for the first time.
func (p *sick) earlierClose() {
	name := logName(6)
	p.edited(name, func(b []byte) []byte {
		f, err := p.fs.Open(name)
		if err != nil {
			p.t.Fatal(err)
		}
		defer f.Close()
		id, err := f.Identity()
		if err != nil {
			p.t.Fatal(err)
		}
		end := lastBatch(p, b)
		seq, place := uint64(0), segment.Place{}
		for _, r := range records(p.t, b[:end]) {
			seq = r.Seq + 1
		}
		r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			p.t.Fatal(err)
		}
		place, b = r.Header.Place(), b[:end]
		for range 2 {
			b = p.add(b, place, &segment.Record{Seq: seq, Vouch: end}, func(r *segment.Record) { r.SetClose(id.Inode, id.Birth) })
		}
		return b
	})
}

// flip flips a bit of a file's byte.
func flip(name string, at func(p *sick, b []byte) int64) func(*sick) {
	return func(p *sick) {
		p.edited(name, func(b []byte) []byte {
			b[at(p, b)] ^= 0x10
			return b
		})
	}
}

func byteAt(n int64) func(*sick, []byte) int64 {
	return func(_ *sick, b []byte) int64 {
		if n < 0 {
			return int64(len(b)) + n
		}
		return n
	}
}

// inRecord is an offset in the first record of a kind and with the flags; what is
// one of the record's fields.
func inRecord(kind segment.RecordKind, flags segment.Flags, field func(r *segment.Record) int64) func(*sick, []byte) int64 {
	return func(p *sick, b []byte) int64 {
		for _, r := range records(p.t, b) {
			if r.Kind == kind && r.Flags&flags == flags && r.Offset > 400 {
				return r.Offset + field(&r)
			}
		}
		p.t.Fatalf("no record of kind %v and flags %v", kind, flags)
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
func inFooter(n int64) func(*sick, []byte) int64 {
	return func(p *sick, b []byte) int64 { return footer(p.t, b).RecordsEnd + n }
}

// forge gives the first segment the footer of one whose nth record of a kind
// was changed, with sound checksums throughout.
func forge(flags segment.Flags, change func(r *segment.Record)) func(*sick) {
	return func(p *sick) {
		b := p.bytes(segName(1))
		end := footer(p.t, b).RecordsEnd
		n := slices.IndexFunc(records(p.t, b), func(r segment.Record) bool {
			return r.Kind == segment.Put && r.Flags&flags == flags && r.Offset > 400
		})
		other := p.sealed(withRecord(p.t, b, n, change)[:end])
		p.set(segName(1), graft(p.t, b[:end], other))
	}
}

func cut(name string, n func(p *sick, b []byte) int64) func(*sick) {
	return func(p *sick) { p.edited(name, func(b []byte) []byte { return b[:n(p, b)] }) }
}

func appended(name string, more []byte) func(*sick) {
	return func(p *sick) { p.edited(name, func(b []byte) []byte { return append(b, more...) }) }
}

// tail replaces what follows the mark of a crashed store's newest log.
func tail(fn func(p *sick, tail []byte) []byte) func(*sick) {
	return func(p *sick) {
		from := p.durable + segment.MarkSize
		p.edited(logName(6), func(b []byte) []byte { return append(slices.Clone(b[:from]), fn(p, slices.Clone(b[from:]))...) })
	}
}

// newerHeader makes the file one of a newer format, which has its checksum over its own
// number.
func newerHeader(name string) func(*sick) {
	return func(p *sick) { p.edited(name, asNewer) }
}

func asNewer(b []byte) []byte {
	n := binary.LittleEndian.Uint32(b[12:])
	binary.LittleEndian.PutUint16(b[8:], 2)
	binary.LittleEndian.PutUint32(b[n-4:], crc32.Checksum(b[:n-4], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// newerFooter does so with the end of a sealed file.
func newerFooter(name string) func(*sick) {
	return func(p *sick) {
		p.edited(name, func(b []byte) []byte {
			b[len(b)-16] ^= 2 // of the checksum, which is over other bytes
			binary.LittleEndian.PutUint16(b[len(b)-12:], 2)
			return b
		})
	}
}

// foreign is a sound segment of another store, or of another timeline of this one.
func foreign(p *sick, uuid segment.UUID, r segment.Ref) []byte {
	h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: uuid, Ref: r, FirstSeq: 1, Time: p.time, NextID: r.ID + 1}}
	b := h.Append(nil)
	put := segment.Record{Kind: segment.Put, Flags: segment.FlagCommit, Key: []byte("stranger"), Seq: 1, Time: p.time + 1}
	b = h.Place().AppendRecord(b, int64(len(b)), &put)
	end := segment.Record{Seq: 2, Time: p.time + 2, Vouch: int64(len(b))}
	end.SetEnd(segment.Ref{Timeline: r.Timeline, ID: r.ID + 1})
	b = h.Place().AppendRecord(b, int64(len(b)), &end)
	return p.sealed(b)
}

var zeros = make([]byte, 4096)

// injuries is the table. Segment 1 and 3 are sealed logs, 4 is the one with an edit, 5
// an output, 6 the newest log.
func injuries() []injury {
	seg, out, log := segName(1), segName(5), logName(6)
	put := segment.Put
	return []injury{
		{name: "nothing", hurt: func(*sick) {}, harmless: true},
		{name: "nothing, after a crash", crashed: true, hurt: func(*sick) {}, harmless: true},

		{name: "sealed header: a byte of the magic", hurt: flip(seg, byteAt(3))},
		{name: "sealed header: the kind", hurt: flip(seg, byteAt(10))},
		{name: "sealed header: a reserved byte", hurt: flip(seg, byteAt(11))},
		{name: "sealed header: its length", hurt: flip(seg, byteAt(12))},
		{name: "sealed header: the store's UUID", hurt: flip(seg, byteAt(18))},
		{name: "sealed header: the timeline", hurt: flip(seg, byteAt(33))},
		{name: "sealed header: the id", hurt: flip(seg, byteAt(40))},
		{name: "sealed header: the first sequence number", hurt: flip(seg, byteAt(48))},
		{name: "sealed header: the time", hurt: flip(seg, byteAt(57))},
		{name: "sealed header: the live set", hurt: flip(segName(4), byteAt(125))},
		{name: "sealed header: the checksum", hurt: flip(seg, byteAt(121))},
		{name: "sealed header: the version", hurt: flip(seg, byteAt(8))},
		{name: "sealed header: the version's high byte", hurt: flip(seg, byteAt(9))},
		{name: "sealed header: a newer version", hurt: newerHeader(seg)},

		{name: "sealed record: the head's checksum", hurt: flip(seg, inRecord(put, 0, fixed(1)))},
		{name: "sealed record: the value's checksum", hurt: flip(seg, inRecord(put, 0, fixed(5)))},
		{name: "sealed record: the kind", hurt: flip(seg, inRecord(put, 0, fixed(8)))},
		{name: "sealed record: the flags", hurt: flip(seg, inRecord(put, 0, fixed(9)))},
		{name: "sealed record: the key's length", hurt: flip(seg, inRecord(put, 0, fixed(10)))},
		{name: "sealed record: the value's length", hurt: flip(seg, inRecord(put, 0, fixed(13)))},
		{name: "sealed record: the sequence number", hurt: flip(seg, inRecord(put, 0, fixed(16)))},
		{name: "sealed record: the commit time", hurt: flip(seg, inRecord(put, segment.FlagCommit, inCommitTime))},
		{name: "sealed record: the mark", hurt: flip(seg, inRecord(put, segment.FlagVouch, fixed(20)))},
		{name: "sealed record: the key", hurt: flip(seg, inRecord(put, 0, inKey))},
		{name: "sealed record: the meta", hurt: flip(seg, inRecord(put, segment.FlagMeta, inMeta))},
		{name: "sealed record: the slots", hurt: flip(seg, inRecord(put, segment.FlagSlots, inSlots))},
		{name: "sealed record: the expiry", hurt: flip(seg, inRecord(put, segment.FlagExpiry, inExpiry))},
		{name: "sealed record: the first byte of a value", hurt: flip(seg, inRecord(put, 0, inValue))},
		{name: "sealed record: the last byte of a value", hurt: flip(seg, inRecord(put, 0, inValueEnd))},
		{name: "sealed record: a deletion's key", hurt: flip(seg, inRecord(segment.Delete, 0, inKey))},
		{name: "sealed record: the end record", hurt: flip(seg, inRecord(segment.End, 0, inValue))},
		{name: "sealed record: the edit", hurt: flip(segName(4), inRecord(segment.Edit, 0, inValue))},
		{name: "output: the key of a record", hurt: flip(out, inRecord(put, 0, inKey))},
		{name: "output: a value", hurt: flip(out, inRecord(put, 0, inValue))},

		{name: "footer: the count of a table block", hurt: flip(seg, inFooter(1))},
		{name: "footer: an entry of the table", hurt: flip(seg, inFooter(40))},
		{name: "footer: an entry of an output's table", hurt: flip(out, inFooter(40))},
		{name: "footer: the block index", hurt: flip(seg, byteAt(-190))},
		{name: "footer: the counts", hurt: flip(seg, byteAt(-120))},
		{name: "footer: the digest", hurt: flip(seg, byteAt(-30))},
		{name: "footer: the trailer's checksum", hurt: flip(seg, byteAt(-14))},
		{name: "footer: the magic", hurt: flip(seg, byteAt(-3))},
		{name: "footer: the version", hurt: flip(seg, byteAt(-12))},
		{name: "footer: a newer version", hurt: newerFooter(seg)},
		{name: "forged table: an entry of another key", hurt: forge(0, func(r *segment.Record) { r.Key = bytes.ToUpper(r.Key) })},
		{name: "forged table: an entry with other slots", hurt: forge(segment.FlagSlots, func(r *segment.Record) {
			r.Slots = segment.AppendSlots(nil, []segment.Slot{{Number: 1, Value: []byte("SLOT value")}})
		})},
		{name: "forged table: an entry with another expiry", hurt: forge(segment.FlagExpiry, func(r *segment.Record) { r.Expiry++ })},
		{name: "forged table: an entry with other flags", hurt: forge(0, func(r *segment.Record) { r.Flags ^= segment.FlagMsgpack })},
		{name: "forged record: another value, with sound checksums", hurt: func(p *sick) {
			p.edited(segName(1), func(b []byte) []byte {
				return withRecord(p.t, b, 3, func(r *segment.Record) { r.Value = bytes.ToUpper(r.Value) })
			})
		}},

		{name: "sealed file: cut within the footer", hurt: cut(seg, byteAt(-60))},
		{name: "sealed file: cut within the records", hurt: cut(seg, inRecord(put, 0, inValue))},
		{name: "sealed file: cut to its header", hurt: cut(seg, byteAt(124))},
		{name: "sealed file: cut to nothing", hurt: cut(seg, byteAt(0))},
		{name: "sealed file: grown by zeros", hurt: appended(seg, zeros[:512])},
		{name: "sealed file: grown by one byte", hurt: appended(seg, []byte{7})},
		{name: "sealed file: filled with zeros", hurt: func(p *sick) { p.edited(seg, func(b []byte) []byte { clear(b); return b }) }},
		{name: "sealed file: a sector of zeros, as in a sparse hole", hurt: func(p *sick) {
			p.edited(seg, func(b []byte) []byte { clear(b[512:1024]); return b })
		}},
		{name: "sealed file: two sectors exchanged", hurt: func(p *sick) {
			p.edited(seg, func(b []byte) []byte {
				x := slices.Clone(b[:512])
				copy(b[128:640], b[640:1152])
				copy(b[640:1152], x[:512])
				return b
			})
		}},
		{name: "sealed file: a sector of another segment, misdirected", hurt: func(p *sick) {
			p.edited(seg, func(b []byte) []byte { copy(b[512:1024], p.bytes(segName(3))[512:1024]); return b })
		}},
		{name: "sealed file: missing", hurt: func(p *sick) { p.remove(seg) }},
		{name: "output: missing", hurt: func(p *sick) { p.remove(out) }},
		{name: "sealed file: that of another one in its place", hurt: func(p *sick) { p.set(seg, p.bytes(segName(3))) }},
		{name: "sealed file: two have exchanged their names", harmless: true, hurt: func(p *sick) {
			a, b := p.bytes(seg), p.bytes(segName(3))
			p.set(seg, b)
			p.set(segName(3), a)
		}},
		{name: "sealed file: twice, under another name", hurt: func(p *sick) { p.put(segName(9), p.bytes(seg), 0o400) }},
		{name: "sealed file: that of another store in its place", hurt: func(p *sick) { p.set(seg, foreign(p, segment.UUID{9}, ref(1))) }},
		{name: "sealed file: that of another store beside", harmless: true, hurt: func(p *sick) { p.put(segName(9), foreign(p, segment.UUID{9}, ref(9)), 0o400) }},
		{name: "sealed file: that of another timeline in its place", hurt: func(p *sick) { p.set(seg, foreign(p, p.uuid, segment.Ref{Timeline: 5, ID: 1})) }},
		{name: "sealed file: that of another timeline beside", harmless: true, hurt: func(p *sick) {
			p.put(segName(2), foreign(p, p.uuid, segment.Ref{Timeline: 5, ID: 2}), 0o400)
		}},
		{name: "sealed file: another mode", harmless: true, hurt: func(p *sick) { p.chmod(seg, 0o644) }},
		{name: "sealed file: the name of a log", harmless: true, hurt: func(p *sick) { p.rename(seg, logName(1)) }},
		{name: "a file that is not the store's", harmless: true, hurt: func(p *sick) { p.put("notes.txt", []byte("hello"), 0o600) }},
		{name: "an unfinished file", harmless: true, hurt: func(p *sick) { p.put("00000000000000000009.tmp", []byte("half"), 0o600) }},
		{name: "the memory of scrub is damaged", harmless: true, hurt: func(p *sick) { p.put("scrub.json", []byte("{"), 0o600) }},

		{name: "newest log: its header", hurt: flip(log, byteAt(50))},
		{name: "newest log: the live set in its header", hurt: flip(log, byteAt(130))},
		{name: "newest log: a durable key", hurt: flip(log, inRecord(put, 0, inKey))},
		{name: "newest log: a durable value", hurt: flip(log, inRecord(put, 0, inValue))},
		{name: "newest log: a durable length", hurt: flip(log, inRecord(put, 0, fixed(14)))},
		{name: "newest log: the version", hurt: flip(log, byteAt(8))},
		{name: "newest log: a newer version", hurt: newerHeader(log)},
		{name: "newest log: a sector of zeros in the durable part", hurt: func(p *sick) {
			p.edited(log, func(b []byte) []byte { clear(b[300:700]); return b })
		}},
		{name: "newest log: the first close record", harmless: true, hurt: flip(log, byteAt(-2*segment.CloseSize+9))},
		{name: "newest log: the last close record", harmless: true, hurt: flip(log, byteAt(-segment.CloseSize+9))},
		{name: "newest log: both close records", harmless: true, hurt: func(p *sick) {
			flip(log, byteAt(-segment.CloseSize+9))(p)
			flip(log, byteAt(-2*segment.CloseSize+9))(p)
		}},
		{name: "newest log: cut before the close records", harmless: true, hurt: cut(log, byteAt(-2*segment.CloseSize))},
		{name: "newest log: its last sector, zeros", hurt: func(p *sick) {
			p.edited(log, func(b []byte) []byte { clear(b[len(b)-512:]); return b })
		}},
		{name: "newest log: its last sector, garbage", hurt: func(p *sick) {
			p.edited(log, func(b []byte) []byte { copy(b[len(b)-512:], bytes.Repeat([]byte("garbage!"), 64)); return b })
		}},
		{name: "newest log: cut in the last sector", hurt: cut(log, byteAt(-512))},
		{name: "newest log: cut after a whole batch", hurt: cut(log, lastBatch)},
		{name: "newest log: as it was at an earlier close", hurt: func(p *sick) { p.earlierClose() }},
		{name: "newest log: cut to its header", hurt: cut(log, byteAt(headerOfLog))},
		{name: "newest log: cut to nothing", hurt: cut(log, byteAt(0))},
		{name: "newest log: filled with zeros", hurt: func(p *sick) { p.edited(log, func(b []byte) []byte { clear(b); return b }) }},
		{name: "newest log: missing, with the end of the log before it", hurt: func(p *sick) {
			p.remove(log)
			b := p.bytes(segName(4))
			p.remove(segName(4))
			p.put(logName(4), b[:footer(p.t, b).RecordsEnd-segment.EndSize], 0o600)
		}},
		{name: "newest log: its last sector, zeros, without a witness", undecidable: true, hurt: func(p *sick) {
			p.edited(log, func(b []byte) []byte { clear(b[len(b)-512:]); return b })
			p.remove(LockName)
		}},
		{name: "newest log: cut to nothing, without a witness", undecidable: true, hurt: func(p *sick) {
			p.set(log, nil)
			p.remove(LockName)
		}},
		{name: "LOCK: missing", harmless: true, hurt: func(p *sick) { p.remove(LockName) }},
		{name: "LOCK: who holds it", harmless: true, hurt: flip(LockName, byteAt(3))},
		{name: "LOCK: a byte of the witness", harmless: true, hurt: flip(LockName, byteAt(segment.WitnessOffset+50))},
		{name: "LOCK: a later version of the witness", harmless: true, hurt: func(p *sick) {
			p.edited(LockName, func(b []byte) []byte {
				w := b[segment.WitnessOffset:]
				w[8]++
				binary.LittleEndian.PutUint32(w[segment.WitnessSize-4:], crc32.Checksum(w[:segment.WitnessSize-4], crc32.MakeTable(crc32.Castagnoli)))
				return b
			})
		}},
		{name: "LOCK: cut to nothing", harmless: true, hurt: cut(LockName, byteAt(0))},
		{name: "LOCK: cut within the witness", harmless: true, hurt: cut(LockName, byteAt(segment.WitnessOffset+30))},
		{name: "LOCK: the witness of an earlier close", harmless: true, hurt: func(p *sick) { p.witness(ref(6), headerOfLog, p.first6-1) }},
		{name: "LOCK: the witness of an earlier log", harmless: true, hurt: func(p *sick) { p.witness(ref(4), 1<<20, p.seq-1) }},
		{name: "LOCK: the witness of a log of another timeline", harmless: true, hurt: func(p *sick) {
			p.witness(segment.Ref{Timeline: 5, ID: 9}, 1<<20, 1<<20)
		}},
		{name: "LOCK: that of another store", harmless: true, hurt: func(p *sick) {
			p.uuid[0]++
			p.witness(ref(6), 1<<20, 1<<20)
			p.uuid[0]--
		}},
		{name: "newest log: grown by zeros", harmless: true, hurt: appended(log, zeros[:512])},
		{name: "newest log: grown by garbage", harmless: true, hurt: appended(log, bytes.Repeat([]byte("garbage!"), 64))},
		{name: "newest log: missing", hurt: func(p *sick) { p.remove(log) }},
		{name: "newest log: a copy of the file", harmless: true, hurt: func(p *sick) {
			b := p.bytes(log)
			p.remove(log)
			p.put(log, b, 0o600)
		}},
		{name: "newest log: two of them", hurt: func(p *sick) {
			b := foreign(p, p.uuid, segment.Ref{Timeline: 5, ID: 7})
			p.put(logName(7), b[:footer(p.t, b).RecordsEnd-segment.EndSize], 0o600)
		}},
		{name: "newest log: the next one is prepared", harmless: true, hurt: func(p *sick) { p.put(logName(7), nil, 0o600) }},

		{name: "after a crash: a durable value", crashed: true, hurt: flip(log, inRecord(put, 0, inValue))},
		{name: "after a crash: a durable head", crashed: true, hurt: flip(log, inRecord(put, 0, fixed(9)))},
		{name: "after a crash: a byte of the last mark", crashed: true, harmless: true, hurt: func(p *sick) {
			p.edited(log, func(b []byte) []byte { b = b[:p.durable+segment.MarkSize]; b[p.durable+9] ^= 1; return b })
		}},
		{name: "torn tail: cut within a record", crashed: true, harmless: true, hurt: tail(func(_ *sick, b []byte) []byte { return b[:len(b)-30] })},
		{name: "torn tail: a batch without its last record", crashed: true, harmless: true, hurt: tail(func(p *sick, b []byte) []byte {
			list := records(p.t, p.bytes(log))
			for _, r := range slices.Backward(list) {
				if !r.Commit() && r.Offset > p.durable {
					return b[:r.Offset+r.Size-p.durable-segment.MarkSize]
				}
			}
			return nil
		})},
		{name: "torn tail: zeros", crashed: true, harmless: true, hurt: tail(func(_ *sick, b []byte) []byte { clear(b); return b })},
		{name: "torn tail: zeros after the first half", crashed: true, harmless: true, hurt: tail(func(_ *sick, b []byte) []byte { clear(b[len(b)/2:]); return b })},
		{name: "torn tail: garbage", crashed: true, harmless: true, hurt: tail(func(_ *sick, b []byte) []byte {
			return bytes.Repeat([]byte("garbage!"), len(b)/8)
		})},
		{name: "torn tail: what an older file had there", crashed: true, harmless: true, hurt: tail(func(p *sick, b []byte) []byte {
			return p.bytes(segName(3))[200 : 200+len(b)]
		})},
		{name: "torn tail: its first bytes missing, the rest there", crashed: true, harmless: true, hurt: tail(func(_ *sick, b []byte) []byte { clear(b[:60]); return b })},
	}
}
