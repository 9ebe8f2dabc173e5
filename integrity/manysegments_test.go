package integrity

import (
	"bytes"
	"io/fs"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// manyTimelines is a store of n sealed logs of one object, and the newest log. Each began
// a timeline, as after a crash, so that the headers together have the square of n runs.
func manyTimelines(t *testing.T, n int) vfs.FS {
	t.Helper()
	files := fstest.MapFS{}
	var live []segment.Ref
	for i := range n + 1 {
		id := segment.ID(i + 1)
		h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: segment.UUID{1}, Ref: segment.Ref{Timeline: segment.Timeline(1000 - i), ID: id},
			FirstSeq: uint64(id), Time: int64(id), NextID: id + 1}, Live: segment.SetOf(live...)}
		live = append(live, h.Ref)
		b, p := h.Append(nil), h.ChecksumSeed()
		begin := int64(len(b))
		records := []*segment.Record{{Kind: segment.Put, Key: []byte{byte(i), byte(i >> 8)}}, {}}
		records[1].SetEnd(segment.Ref{Timeline: segment.Timeline(1000 - i - 1), ID: id + 1})
		if i == n {
			records = records[:1]
		}
		for j, r := range records {
			r.Seq, r.Time, r.Vouch, r.Flags = uint64(id)+uint64(j), int64(id)+int64(j)+1, int64(len(b)), segment.FlagCommit|segment.FlagVouch
			b = p.AppendRecord(b, int64(len(b)), r)
		}
		if i == n {
			files[id.String()+".open"] = &fstest.MapFile{Data: b, Mode: 0o600}
			break
		}
		r := segment.ReaderFor(&h.Head, bytes.NewReader(b), int64(len(b)))
		r.HeaderSize = begin
		footer, _, err := r.Seal(r.Size)
		if err != nil {
			t.Fatal(err)
		}
		files[id.String()+".seg"] = &fstest.MapFile{Data: append(b, footer...), Mode: 0o400}
	}
	return vfs.FromFS(fs.FS(files))
}

// held returns the memory of what fn returns.
func held(fn func() any) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	x := fn()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(x)
	return after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc)
}

// What is known of the segments of a store takes memory by their number, and not by its
// square, though the headers have the square of it.
func TestMemoryGrowsWithTheSegments(t *testing.T) {
	const n = 250
	look := func(fsys vfs.FS) (survey, standing uint64) {
		survey = held(func() any {
			s, err := Survey(fsys)
			if err != nil {
				t.Fatal(err)
			}
			return s
		})
		standing = held(func() any {
			s, err := Survey(fsys)
			if err != nil {
				t.Fatal(err)
			}
			st, err := s.Resolve(ResolveOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if st.Live.Len() != len(st.Parts) || len(st.Live.Runs()) != len(st.Parts) {
				t.Fatalf("%d parts, %d in the set, as %d runs", len(st.Parts), st.Live.Len(), len(st.Live.Runs()))
			}
			return st
		})
		return survey, standing
	}
	look(manyTimelines(t, 10)) // what is made once
	survey, standing := look(manyTimelines(t, n))
	surveyOf2, standingOf2 := look(manyTimelines(t, 2*n))
	t.Logf("of %d and %d segments: survey %d and %d bytes, standing %d and %d", n, 2*n, survey, surveyOf2, standing, standingOf2)
	// Expanded, or as runs, the sets of 500 headers take above 2 MB. A survey was seen to take 320 bytes a
	// segment, a standing 1,000; a trailer or a header that is kept twice is more than the bounds.
	if surveyOf2 > 2*n*500 || standingOf2 > 2*n*1100 {
		t.Errorf("a segment takes %d bytes in a survey, %d in a standing", surveyOf2/(2*n), standingOf2/(2*n))
	}
	if surveyOf2 > 3*max(survey, 64<<10) || standingOf2 > 3*max(standing, 64<<10) {
		t.Errorf("twice the segments take %d bytes in a survey where %d did, %d in a standing where %d did", surveyOf2, survey, standingOf2, standing)
	}
}
