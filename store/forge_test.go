package store

import (
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/segment"
)

// FuzzOpenForged opens real stores that were changed by somebody who knows the
// format: what is changed has good checksums, which fuzzing by itself never
// finds. Each edit takes six bytes.
func FuzzOpenForged(f *testing.F) {
	stores := fuzzStores(f)
	for i := range stores {
		f.Add(uint8(i), []byte{0, 1, 9, 0, 3, 0})
		f.Add(uint8(i), []byte{5, 1, 3, 0, 1, 0, 6, 2, 1, 0, 3, 0, 7, 0, 2, 0, 4, 1})
	}
	f.Fuzz(func(t *testing.T, which uint8, edits []byte) {
		if len(edits) > 60 {
			return
		}
		fsys := stores[int(which)%len(stores)].Clone()
		for ; len(edits) >= 6; edits = edits[6:] {
			forge(fsys, [6]byte(edits))
		}
		watch := time.AfterFunc(20*time.Second, func() { panic("hangs") })
		defer watch.Stop()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		synctest.Test(t, func(t *testing.T) { openAnything(t, fsys) })
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
			t.Errorf("%d bytes were allocated", n)
		}
	})
}

// forge makes one edit: e is what, in which file, where (2 bytes), and how (2 bytes).
func forge(fsys *crashfs.FS, e [6]byte) {
	names := fsys.Names()
	if len(names) == 0 {
		return
	}
	name := names[int(e[1])%len(names)]
	b := fsys.Bytes(name)
	at := 0
	if len(b) > 0 {
		at = (int(e[2]) | int(e[3])<<8) % len(b)
	}
	how := int64(e[4]) | int64(e[5])<<8
	switch e[0] % 8 {
	case 0:
		if len(b) > 0 {
			b[at] ^= e[4]
		}
	case 1:
		b = b[:at]
	case 2:
		fsys.Remove(name)
		return
	case 3:
		name = fuzzNames[int(how)%len(fuzzNames)]
	case 4:
		copy(b[at:], fsys.Bytes(names[int(e[4])%len(names)]))
	case 5:
		b = forgeHeader(b, e[2], how)
	case 6:
		b = forgeRecord(b, int(e[2]), e[3], how)
	case 7:
		b = appendForged(b, e[2], how)
	}
	fsys.SetBytes(name, b)
}

// forgeHeader changes one field of the header of a file.
func forgeHeader(b []byte, field byte, how int64) []byte {
	h, n, err := segment.ParseHeader(b)
	if err != nil {
		return b
	}
	d := uint64(how)
	if how&1 != 0 {
		d = uint64(-how)
	}
	other := segment.Ref{Timeline: h.Ref.Timeline, ID: segment.ID(1 + d%9)}
	switch field % 9 {
	case 0:
		h.Ref.ID += segment.ID(d)
	case 1:
		h.Ref.Timeline += segment.Timeline(d)
	case 2:
		h.FirstSeq += d
	case 3:
		h.Time += int64(d) << 40
	case 4:
		h.NextID += segment.ID(d)
	case 5:
		h.Replaced = other
	case 6:
		h.Live = h.Live.With(other)
	case 7:
		live := slices.Collect(h.Live.All())
		h.Live = segment.SetOf(live[:int(d%9)*len(live)/9]...)
	case 8:
		h.Kind = segment.Kind(1 + d%2)
	}
	return append(h.Append(nil), b[n:]...)
}

// forgeRecord changes one field of the nth record.
func forgeRecord(b []byte, n int, field byte, how int64) []byte {
	fsys := crashfs.New()
	fsys.SetBytes("x", b)
	f, _ := fsys.Open("x")
	defer f.Close()
	r, err := segment.NewReader(f, int64(len(b)))
	if err != nil {
		return b
	}
	for rec, err := range r.Records(segment.Span{Depth: segment.WithValues}) {
		if err != nil {
			return b
		}
		if n--; n >= 0 {
			continue
		}
		c := *rec
		switch field % 6 {
		case 0:
			c.Seq += uint64(how)
		case 1:
			c.Time -= how << 20
		case 2:
			c.Flags |= segment.FlagVouch
			c.Vouch = how
		case 3:
			c.Flags ^= segment.FlagCommit
		case 4:
			c.Kind = segment.RecordKind(how % 8)
		case 5:
			c.Key = append(c.Key[:0:0], byte(how))
		}
		if c.Check() != nil {
			return b
		}
		out := r.ChecksumSeed().AppendRecord(append([]byte(nil), b[:c.Offset]...), c.Offset, &c)
		return append(out, b[rec.Offset+rec.Size:]...)
	}
	return b
}

// appendForged appends a record of some kind that follows what is there.
func appendForged(b []byte, kind byte, how int64) []byte {
	fsys := crashfs.New()
	fsys.SetBytes("x", b)
	f, _ := fsys.Open("x")
	defer f.Close()
	r, err := segment.NewReader(f, int64(len(b)))
	if err != nil {
		return b
	}
	seq, last := r.Header.FirstSeq, int64(1)<<60
	for rec, err := range r.Records(segment.Span{}) {
		if err != nil {
			break
		}
		seq, last = rec.Seq, max(last, rec.Time+1)
		if rec.Kind.Data() {
			seq++
		}
	}
	rec := segment.Record{Seq: seq, Time: last, Vouch: int64(len(b)), Flags: segment.FlagCommit | segment.FlagVouch}
	ref := segment.Ref{Timeline: r.Header.Ref.Timeline, ID: segment.ID(1 + how%9)}
	switch kind % 6 {
	case 0:
		rec.Kind, rec.Key, rec.Value = segment.Put, []byte("k1"), []byte("forged")
	case 1:
		rec.Kind, rec.Key = segment.Delete, []byte("k2")
	case 2:
		rec.Kind = segment.Mark
	case 3:
		rec.SetEnd(ref)
	case 4:
		rec.SetClose(uint64(how), 0)
	case 5:
		rec.SetEdit(segment.EditSet{Retire: []segment.Ref{ref}})
	}
	return r.ChecksumSeed().AppendRecord(b, int64(len(b)), &rec)
}
