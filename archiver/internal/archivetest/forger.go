package archivetest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// Branch ships a log of a timeline that began on another one.
func (f *Forger) Branch(id segment.ID, live []segment.Ref, parent segment.Ref, seq uint64, ops ...string) {
	f.T.Helper()
	b, _ := f.Running(id, nil, ops...)
	h, _, err := segment.ParseHeader(b)
	testkit.Must(f.T, err)
	h.Live, h.Parent, h.ParentSeq = segment.SetOf(live...), parent, seq
	out := h.Append(nil)
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	testkit.Must(f.T, err)
	for rec, err := range r.Records(segment.Span{}) {
		testkit.Must(f.T, err)
		rec, err = r.RecordAt(rec.Offset, rec.Offset+rec.Size)
		testkit.Must(f.T, err)
		rec.Vouch = int64(len(out))
		out = h.ChecksumSeed().AppendRecord(out, int64(len(out)), rec)
	}
	f.Time += 1e9
	end := segment.Record{Seq: f.Seq, Vouch: int64(len(out)), Time: f.Time}
	end.SetEnd(f.Ref(id + 1))
	f.Seal(h.ChecksumSeed().AppendRecord(out, int64(len(out)), &end))
}

// Forger writes segments by hand, for histories that no writer makes yet: with compaction.
type Forger struct {
	T    *testing.T
	V    *Vault
	UUID segment.UUID
	Line segment.Timeline
	Seq  uint64 // the next number
	Time int64  // of the newest commit; each is a step after the one before
	Step int64
}

// NewForger returns a forger with an archive of its own.
func NewForger(t *testing.T) *Forger {
	return &Forger{T: t, V: NewVault(), UUID: segment.UUID{1, 2, 3}, Line: 0xabc, Seq: 1, Time: 1e18, Step: 1e9}
}

// Ref is a segment of the forger's timeline.
func (f *Forger) Ref(id segment.ID) segment.Ref { return segment.Ref{Timeline: f.Line, ID: id} }

// Refs are segments of the forger's timeline.
func (f *Forger) Refs(ids ...segment.ID) (refs []segment.Ref) {
	for _, id := range ids {
		refs = append(refs, f.Ref(id))
	}
	return refs
}

// Log ships a log.
func (f *Forger) Log(id segment.ID, live []segment.ID, ops ...string) {
	f.T.Helper()
	b, place := f.Running(id, live, ops...)
	f.Time += f.Step
	end := segment.Record{Seq: f.Seq, Vouch: int64(len(b)), Time: f.Time}
	end.SetEnd(f.Ref(id + 1))
	f.Seal(place.AppendRecord(b, int64(len(b)), &end))
}

// Running returns the bytes of a log that was not ended. An op is "k=v", "-k", or
// "edit a,b>c": retire a and b, adopt c.
func (f *Forger) Running(id segment.ID, live []segment.ID, ops ...string) ([]byte, segment.ChecksumSeed) {
	f.T.Helper()
	h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: f.UUID, Ref: f.Ref(id), FirstSeq: f.Seq, Time: f.Time, NextID: id + 1}, Live: segment.SetOf(f.Refs(live...)...)}
	b := h.Append(nil)
	add := func(r segment.Record) {
		f.Time += f.Step
		r.Time, r.Flags = f.Time, r.Flags|segment.FlagCommit
		b = h.ChecksumSeed().AppendRecord(b, int64(len(b)), &r)
	}
	for _, op := range ops {
		key, value, put := strings.Cut(op, "=")
		r := segment.Record{Kind: segment.Put, Key: []byte(key), Value: []byte(value), Seq: f.Seq, Flags: segment.FlagVouch, Vouch: int64(len(b))}
		if e, ok := strings.CutPrefix(op, "edit "); ok {
			from, to, _ := strings.Cut(e, ">")
			r.Key, r.Value = nil, nil
			r.SetEdit(segment.EditSet{Retire: f.parse(from), Adopt: f.parse(to)})
			add(r)
			continue
		}
		if !put {
			r.Kind, r.Key, r.Value = segment.Delete, []byte(op[1:]), nil
		}
		add(r)
		f.Seq++
	}
	return b, h.ChecksumSeed()
}

func (f *Forger) parse(s string) (refs []segment.Ref) {
	for _, x := range strings.Split(s, ",") {
		var id segment.ID
		fmt.Sscan(x, &id)
		refs = append(refs, f.Ref(id))
	}
	return refs
}

// Output ships an output: of "k=v@seq", in order.
func (f *Forger) Output(id segment.ID, items ...string) {
	f.T.Helper()
	h := &segment.Header{Head: segment.Head{Kind: segment.Output, UUID: f.UUID, Ref: f.Ref(id), FirstSeq: 1, Time: f.Time}}
	b := h.Append(nil)
	for _, it := range items {
		kv, at, _ := strings.Cut(it, "@")
		key, value, _ := strings.Cut(kv, "=")
		r := segment.Record{Kind: segment.Put, Key: []byte(key), Value: []byte(value)}
		fmt.Sscan(at, &r.Seq)
		b = h.ChecksumSeed().AppendRecord(b, int64(len(b)), &r)
	}
	f.Seal(b)
}

// Seal ships a segment.
func (f *Forger) Seal(b []byte) {
	f.T.Helper()
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	testkit.Must(f.T, err)
	footer, _, err := r.Seal(int64(len(b)))
	testkit.Must(f.T, err)
	f.V.add(f.T, append(b, footer...))
}

// Drop deletes objects.
func (f *Forger) Drop(ids ...segment.ID) {
	for _, id := range ids {
		delete(f.V.Objects, ObjectOf(f.UUID, f.Ref(id)))
	}
}

// Compacted ships a history with a compaction, and returns its states by number.
func Compacted(t *testing.T) (*Forger, map[uint64]map[string]string) {
	f := NewForger(t)
	f.Log(1, nil, "a=1", "b=1")
	f.Log(2, []segment.ID{1}, "a=2", "-b")
	f.Output(4, "a=2@3")
	f.Log(3, []segment.ID{1, 2}, "c=5", "edit 1,2>4", "d=6")
	f.Log(5, []segment.ID{3, 4}, "e=7")
	f.Log(6, []segment.ID{3, 4, 5}, "a=8", "b=9")
	return f, map[uint64]map[string]string{
		1: {"a": "1"},
		2: {"a": "1", "b": "1"},
		3: {"a": "2", "b": "1"},
		4: {"a": "2"},
		5: {"a": "2", "c": "5"},
		6: {"a": "2", "c": "5", "d": "6"},
		7: {"a": "2", "c": "5", "d": "6", "e": "7"},
		8: {"a": "8", "c": "5", "d": "6", "e": "7"},
		9: {"a": "8", "b": "9", "c": "5", "d": "6", "e": "7"},
	}
}
