package repair_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/varve-db/varve/integrity/internal/fixture"
	"github.com/varve-db/varve/integrity/repair"
	"github.com/varve-db/varve/integrity/salvage"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

const outputName, logFileName = "00000000000000000007.seg", "00000000000000000008.open"

// compacted is a store after a compaction: an output of the numbers 1 to 20, one of them a
// deletion and some of them gone, and a log that goes on from 21.
func compacted(t testing.TB) *crashfs.FS {
	t.Helper()
	uuid := segment.UUID{4, 2}
	h := &segment.Header{Head: segment.Head{Kind: segment.Output, UUID: uuid, Ref: segment.Ref{Timeline: 3, ID: 7}, FirstSeq: 1, Time: 5}}
	out := h.Append(nil)
	for i := range 15 {
		r := segment.Record{Kind: segment.Put, Key: fmt.Appendf(nil, "key %02d", i), Value: fmt.Appendf(nil, "%0100d", i), Seq: uint64(20 - i)}
		if i == 4 {
			r.Kind, r.Value = segment.Delete, nil
		}
		out = h.ChecksumSeed().AppendRecord(out, int64(len(out)), &r)
	}
	end := int64(len(out))
	r, err := segment.NewReader(bytes.NewReader(out), end)
	testkit.Must(t, err)
	footer, _, err := r.Seal(end)
	testkit.Must(t, err)
	fsys := crashfs.New()
	fsys.SetBytes(outputName, append(out, footer...))
	fixture.ChmodFS(t, fsys, outputName, 0o400)
	l := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: uuid, Ref: segment.Ref{Timeline: 3, ID: 8}, FirstSeq: 21, Time: 6, NextID: 9}, Live: segment.SetOf(h.Ref)}
	b := l.Append(nil)
	for i := range 2 {
		r := segment.Record{Kind: segment.Put, Key: fmt.Appendf(nil, "key %02d", i), Value: []byte("newer"), Seq: 21 + uint64(i), Time: 7 + int64(i),
			Flags: segment.FlagCommit | segment.FlagVouch, Vouch: int64(len(b))}
		b = l.ChecksumSeed().AppendRecord(b, int64(len(b)), &r)
	}
	fsys.SetBytes(logFileName, b)
	return fsys
}

// TestOutputs: what is damaged in an output is named by its table, is healed by a copy,
// and its table by its records.
func TestOutputs(t *testing.T) {
	whole := compacted(t)
	size := len(whole.Bytes(outputName))
	table := size - 310 // in the block of the table
	for _, c := range []struct {
		name    string
		do      func(b []byte) []byte
		objects int64
		lost    int // keys known
		unknown bool
		alone   bool // heals without a copy
	}{
		{"nothing", func(b []byte) []byte { return b }, 14, 0, false, true},
		{"a value", fixture.FlipAt(800), 13, 1, false, false},
		{"the head of a record", fixture.FlipAt(125), 14, 1, false, false}, // of key 00, which has a newer version
		{"a kibibyte", fixture.ZeroAt(300, 1000), 14 - 9, 8 + 1 - 1, false, false},
		{"the head of the deletion", fixture.FlipAt(124 + 4*127 + 12), 14, 0, false, false},
		{"a block of the table", fixture.FlipAt(table), 14, 0, false, true},
		{"the trailer", fixture.FlipAt(-60), 14, 0, false, false},
		{"records and trailer", func(b []byte) []byte { return fixture.FlipAt(-60)(fixture.FlipAt(800)(b)) }, 13, 1, true, false},
		{"its end cut off", func(b []byte) []byte { return b[:1000] }, -1, 0, true, false},
		{"its header", fixture.FlipAt(50), 2, 0, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys := whole.Clone()
			fsys.SetBytes(outputName, c.do(fsys.Bytes(outputName)))
			s, got, err := fixture.Salvaged(t, fsys)
			testkit.Must(t, err)
			if c.objects >= 0 && s.Objects != c.objects && c.name != "a kibibyte" {
				t.Errorf("%d objects, want %d", s.Objects, c.objects)
			}
			named := 0
			for _, l := range s.Lost {
				if l.Kind == salvage.LostPut {
					named++
				}
			}
			if c.name == "a kibibyte" && (named < 7 || s.Objects+s.LostObjects != 14) || c.name != "a kibibyte" && named != c.lost && !c.unknown {
				t.Errorf("%d of known keys lost; %+v", named, s.Lost)
			}
			if c.unknown != (s.MayBeStale > 0) {
				t.Errorf("%d may be stale; %+v", s.MayBeStale, s.Lost)
			}
			if _, ok := got["key 04"]; ok || string(got["key 00"].Value) != "newer" {
				t.Error("an old version")
			}
			alone := fsys.Clone()
			p, err := repair.Run(t.Context(), alone, repair.Options{})
			testkit.Must(t, err)
			if (len(p.Left) == 0) != c.alone {
				t.Errorf("alone: steps %+v, left %+v", p.Steps, p.Left)
			}
			if c.alone {
				fixture.SameFiles(t, alone, whole)
			}
			p, err = repair.Run(t.Context(), fsys, repair.Options{From: fixture.CopyOfStore(whole)})
			testkit.Must(t, err)
			if len(p.Left) > 0 {
				t.Errorf("left: %+v", p.Left)
			}
			fixture.SameFiles(t, fsys, whole)
		})
	}
}
