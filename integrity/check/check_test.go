package check_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/check"
	"github.com/varve-db/varve/integrity/internal/fixture"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// mapped reads a folder into memory, where it can be injured.
func mapped(t testing.TB, dir string) fstest.MapFS {
	t.Helper()
	m := fstest.MapFS{}
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range names {
		b, err := os.ReadFile(filepath.Join(dir, d.Name()))
		if err != nil {
			t.Fatal(err)
		}
		info, err := d.Info()
		if err != nil {
			t.Fatal(err)
		}
		m[d.Name()] = &fstest.MapFile{Data: b, Mode: info.Mode(), ModTime: info.ModTime()}
	}
	return m
}

func mustCheck(t testing.TB, fsys fs.FS, o check.Options) *check.Report {
	t.Helper()
	r, err := check.Run(t.Context(), fsys, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var levels = []integrity.Level{integrity.None, integrity.Tail, integrity.Log, integrity.Full}

func TestASoundStoreHasNoFindings(t *testing.T) {
	dir := fixture.ClosedStore(t)
	for _, level := range levels {
		r := mustCheck(t, os.DirFS(dir), check.Options{Level: level})
		if len(r.Findings) > 0 || r.LastSeq != 60 || r.Segments != r.Files+1 && r.Segments != r.Files || (r.Whole == r.Files) != (level == integrity.Full) {
			t.Errorf("%v: %+v", level, r)
		}
		if level == integrity.Full && r.Records < 60 {
			t.Errorf("%v: %d records", level, r.Records)
		}
	}
}

// sealed returns the names of the sealed segments.
func sealed(m fstest.MapFS) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if strings.HasSuffix(name, ".seg") {
			names = append(names, name)
		}
	}
	return names
}

// TestWhatCheckFinds injures a closed store in one way each, and tells at which
// levels that is found, as what.
func TestWhatCheckFinds(t *testing.T) {
	dir := fixture.ClosedStore(t)
	all := levels
	full := levels[3:]
	for _, c := range []struct {
		name   string
		injure func(m fstest.MapFS, segs []string)
		at     []integrity.Level
		kind   integrity.Kind
		next   segment.Remedy
	}{
		{"a flipped byte in a value of a sealed segment", func(m fstest.MapFS, s []string) { m[s[1]].Data[500] ^= 1 }, full, integrity.DamagedRecord, integrity.RepairFromCopy},
		{"a flipped byte in a header", func(m fstest.MapFS, s []string) { m[s[1]].Data[50] ^= 1 }, all, integrity.DamagedHeader, integrity.RepairFromCopy},
		{"a flipped byte in a table", func(m fstest.MapFS, s []string) { b := m[s[1]].Data; b[fixture.EndOfRecords(t, b)+20] ^= 1 }, all, integrity.DamagedTable, integrity.MakeRepair},
		{"a flipped byte in a trailer", func(m fstest.MapFS, s []string) { b := m[s[1]].Data; b[len(b)-100] ^= 1 }, all, integrity.DamagedTable, integrity.MakeRepair},
		{"a segment cut short", func(m fstest.MapFS, s []string) { m[s[1]].Data = m[s[1]].Data[:1000] }, all, integrity.DamagedTable, ""},
		{"a segment grown", func(m fstest.MapFS, s []string) { m[s[1]].Data = append(m[s[1]].Data, 0) }, all, integrity.DamagedTable, ""},
		{"an empty segment", func(m fstest.MapFS, s []string) { m[s[1]].Data = nil }, all, integrity.DamagedHeader, ""},
		{"a missing segment", func(m fstest.MapFS, s []string) { delete(m, s[1]) }, all, integrity.Missing, integrity.RepairFromCopy},
		{"a segment in the place of another", func(m fstest.MapFS, s []string) { m[s[1]] = m[s[2]] }, all, integrity.Contradiction, ""},
		{"a flipped bit of the version", func(m fstest.MapFS, s []string) { m[s[1]].Data[8] ^= 2 }, all, integrity.DamagedHeader, integrity.RepairFromCopy},
		{"a newer version", func(m fstest.MapFS, s []string) { fixture.Newer(m[s[1]].Data) }, all, integrity.NewerVersion, segment.UseNewer},
	} {
		for _, level := range levels {
			m := mapped(t, dir)
			c.injure(m, sealed(m))
			r := mustCheck(t, m, check.Options{Level: level})
			if !slices.Contains(c.at, level) {
				if len(r.Findings) > 0 {
					t.Errorf("%s, %v: %+v", c.name, level, r.Findings)
				}
				continue
			}
			i := slices.IndexFunc(r.Findings, func(f integrity.Finding) bool { return f.Kind == c.kind })
			if i < 0 {
				t.Errorf("%s, %v: %+v", c.name, level, r.Findings)
				continue
			}
			f := r.Findings[i]
			if f.Reason == "" || f.Next == "" || c.next != "" && f.Next != c.next || f.Segment.ID == 0 || !strings.Contains(f.File, ".seg") {
				t.Errorf("%s, %v: %+v", c.name, level, f)
			}
			if known := f.Kind != integrity.Missing && f.Kind != integrity.Contradiction && f.Kind != integrity.NewerVersion && f.Kind != integrity.DamagedHeader; known && f.Good.IsZero() {
				t.Errorf("%s, %v: not since when: %+v", c.name, level, f)
			}
		}
	}
}

// TestEverySegmentIsJudgedThoughTheLogIsDamaged damages the newest log and two
// segments.
func TestEverySegmentIsJudgedThoughTheLogIsDamaged(t *testing.T) {
	dir := fixture.ClosedStore(t)
	db := fixture.FillStore(t, dir, 0)
	if err := db.Put([]byte("in the log"), []byte("of this store")); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	m := mapped(t, dir)
	segs := sealed(m)
	m[segs[0]].Data[500] ^= 1
	m[segs[2]].Data[500] ^= 1
	delete(m, "LOCK")
	last := slices.Max(slices.Collect(maps.Keys(m)))
	if !strings.HasSuffix(last, ".open") || len(m[last].Data) == 0 {
		t.Fatalf("no open log: %s", last)
	}
	m[last].Data[bytes.Index(m[last].Data, []byte("of this"))] ^= 1
	r := mustCheck(t, m, check.Options{Level: integrity.Full})
	var kinds []integrity.Kind
	for _, f := range r.Findings {
		kinds = append(kinds, f.Kind)
		if len(f.Keys) != 1 || f.FirstSeq == 0 {
			t.Errorf("%+v", f)
		}
	}
	if !slices.Equal(kinds, []integrity.Kind{integrity.DamagedRecord, integrity.DamagedRecord, integrity.DamagedLog}) {
		t.Errorf("%+v", r.Findings)
	}
	if !slices.IsSortedFunc(r.Findings, func(a, b integrity.Finding) int { return a.Segment.Compare(b.Segment) }) {
		t.Error("findings in no order")
	}
}

// TestANewestLogThatIsSealedIsJudgedAsALog takes the log away that the last sealed
// one names, so that this is the newest, and damages a value in it: an open at
// level log would refuse it, so check names it there.
func TestANewestLogThatIsSealedIsJudgedAsALog(t *testing.T) {
	m := mapped(t, fixture.ClosedStore(t))
	segs := sealed(m)
	for name := range m {
		if strings.HasSuffix(name, ".open") {
			delete(m, name)
		}
	}
	m[segs[len(segs)-1]].Data[500] ^= 1
	for _, level := range levels[2:] {
		r := mustCheck(t, m, check.Options{Level: level})
		if !slices.ContainsFunc(r.Findings, func(f integrity.Finding) bool { return f.Kind == integrity.DamagedRecord && f.FirstSeq > 0 }) {
			t.Errorf("%v: %+v", level, r.Findings)
		}
	}
	m[segs[len(segs)-1]].Data[500] ^= 1
	r := mustCheck(t, m, check.Options{Level: integrity.None})
	if len(r.Findings) != 1 || r.Findings[0].Kind != integrity.LostLog {
		t.Errorf("%+v", r.Findings)
	}
}

// TestDamageOutsideTheSetIsSaidToBeThat adds an output that no edit adopted.
func TestDamageOutsideTheSetIsSaidToBeThat(t *testing.T) {
	m := mapped(t, fixture.ClosedStore(t))
	h, _, err := segment.ParseHeader(m[sealed(m)[0]].Data)
	if err != nil {
		t.Fatal(err)
	}
	out := segment.Header{Head: segment.Head{Kind: segment.Output, UUID: h.UUID, Ref: segment.Ref{Timeline: h.Ref.Timeline, ID: 99}, FirstSeq: 1, Time: 1}}
	b := out.Append(nil)
	b = out.ChecksumSeed().AppendRecord(b, int64(len(b)), &segment.Record{Kind: segment.Put, Seq: 1, Key: []byte("k"), Value: []byte("value")})
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	footer, _, err := r.Seal(int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	const name = "00000000000000000099.seg"
	value := len(b) - 2
	m[name] = &fstest.MapFile{Data: append(b, footer...)}
	rep := mustCheck(t, m, check.Options{Level: integrity.Full})
	if len(rep.Findings) > 0 || !slices.ContainsFunc(rep.Notes, func(n integrity.Note) bool { return n.File == name && strings.Contains(n.Text, "left alone") }) {
		t.Errorf("%+v", rep)
	}
	m[name].Data[value] ^= 1
	rep = mustCheck(t, m, check.Options{Level: integrity.Full})
	if len(rep.Findings) != 1 || !strings.Contains(rep.Findings[0].Reason, "does not depend") || string(rep.Findings[0].Keys[0]) != "k" {
		t.Errorf("%+v", rep.Findings)
	}
}

// TestATornTailIsNotNamedWithTheDamage damages the durable part of a log that also
// has a torn tail.
func TestATornTailIsNotNamedWithTheDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	db := fixture.FillStore(t, dir, 5)
	m := copyOf(t, dir)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	f := m["00000000000000000001.open"]
	f.Data = append(f.Data, "the beginning of a write that was torn"...)
	f.Data[bytes.Index(f.Data, []byte("key002"))] ^= 1
	r := mustCheck(t, m, check.Options{Level: integrity.Log})
	if len(r.Findings) != 1 || r.Findings[0].Kind != integrity.DamagedLog || r.Findings[0].FirstSeq != 3 || r.Findings[0].LastSeq != 3 {
		t.Errorf("%+v", r.Findings)
	}
}

// TestALogThatWasEndedAndNotSealed is what a crash leaves between the end of a log and
// its seal: with no footer, or with some of it.
func TestALogThatWasEndedAndNotSealed(t *testing.T) {
	const name, open = "00000000000000000002.seg", "00000000000000000002.open"
	for _, footer := range []int64{0, 1, 100} {
		m := mapped(t, fixture.ClosedStore(t))
		f := m[name]
		both := *f
		f.Data = bytes.Clone(f.Data[:fixture.EndOfRecords(t, f.Data)+footer])
		f.Mode = 0o600
		delete(m, name)
		m[open] = f
		noted := func(text string) bool {
			r := mustCheck(t, m, check.Options{Level: integrity.Full})
			if len(r.Findings) > 0 {
				t.Errorf("%d bytes of footer: %+v", footer, r.Findings)
			}
			return slices.ContainsFunc(r.Notes, func(n integrity.Note) bool { return n.File == open && strings.Contains(n.Text, text) })
		}
		if !noted("not sealed") {
			t.Errorf("%d bytes of footer: no note", footer)
		}
		m[name] = &both // written anew, and the log could not be removed any more
		if !noted("of which " + name + " was made") {
			t.Errorf("%d bytes of footer: no note of two files", footer)
		}
		delete(m, name)
		f.Data[500] ^= 1
		for _, level := range levels {
			r := mustCheck(t, m, check.Options{Level: level})
			if len(r.Findings) != 1 || r.Findings[0].Kind != integrity.DamagedLog || r.Findings[0].Segment.ID != 2 || r.Findings[0].FirstSeq == 0 {
				t.Errorf("%v, %d bytes of footer: %+v", level, footer, r.Findings)
			}
		}
	}
}

// TestEveryFlipAnywhereIsNamed flips bytes all over a store that was closed in order:
// in a segment, and below what the records of the close vouch for, each is a
// finding; above that it is a torn tail, and noted.
func TestEveryFlipAnywhereIsNamed(t *testing.T) {
	dir := fixture.ClosedStore(t)
	db := fixture.FillStore(t, dir, 0)
	if err := db.Put([]byte("in the log"), []byte("of this store")); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	m := mapped(t, dir)
	delete(m, "LOCK")
	step := 7
	if testing.Short() {
		step = 67
	}
	for name, f := range m {
		for at := 0; at < len(f.Data); at += step {
			f.Data[at] ^= 1 << (at % 8)
			r := mustCheck(t, m, check.Options{Level: integrity.Full})
			f.Data[at] ^= 1 << (at % 8)
			if strings.HasSuffix(name, ".open") && at >= len(f.Data)-2*segment.CloseSize {
				if len(r.Findings) > 0 || len(r.Notes) != 1 || !strings.HasPrefix(r.Notes[0].Text, "torn tail") {
					t.Errorf("%s, byte %d of %d: %+v, %+v", name, at, len(f.Data), r.Findings, r.Notes)
				}
				continue
			}
			if len(r.Findings) != 1 || r.Findings[0].File != name || !strings.HasPrefix(name, r.Findings[0].Segment.ID.String()) || r.Findings[0].Offset > int64(at) {
				t.Errorf("%s, byte %d of %d: %+v", name, at, len(f.Data), r.Findings)
			}
		}
	}
}

// moving is a folder in which sealed segments are not there for the first opens, as
// if they got their names after a listing.
type moving struct {
	fstest.MapFS
	left *atomic.Int32
}

func (m moving) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, ".seg") && m.left.Add(-1) >= 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return m.MapFS.Open(name)
}

func TestFilesThatMoveBesideAWriterAreLookedForAgain(t *testing.T) {
	m := mapped(t, fixture.ClosedStore(t))
	for _, live := range []bool{true, false} {
		var left atomic.Int32
		left.Store(int32(len(sealed(m))) + 1) // so that a second look does not find it either
		r := mustCheck(t, moving{m, &left}, check.Options{Level: integrity.Full, Writer: func() (bool, error) { return live, nil }})
		if (len(r.Findings) == 0) != live {
			t.Errorf("live %v: %+v", live, r.Findings)
		}
	}
}

// copyOf copies the files of a store that is open, as a crash leaves them.
func copyOf(t *testing.T, dir string) fstest.MapFS {
	m := mapped(t, dir)
	delete(m, "LOCK")
	return m
}

func TestATornTailIsANote(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	db := fixture.FillStore(t, dir, 5)
	m := copyOf(t, dir)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	name := "00000000000000000001.open"
	m[name].Data = append(m[name].Data, "the beginning of a write"...)
	m["00000000000000000001.400.torn"] = &fstest.MapFile{Data: []byte("x")}
	m["00000000000000000009.tmp"] = &fstest.MapFile{Data: []byte("x")}
	m["stray"] = &fstest.MapFile{Data: []byte("x")}
	m["scrub.json"] = &fstest.MapFile{Data: []byte("{")}
	for _, level := range levels {
		r := mustCheck(t, m, check.Options{Level: level})
		if len(r.Findings) > 0 || r.Clean || r.Level < integrity.Log {
			t.Errorf("%v: %+v", level, r)
		}
		var all []string
		for _, n := range r.Notes {
			all = append(all, n.File+": "+n.Text)
		}
		for _, want := range []string{"torn tail: 24 bytes", "kept", ".tmp: left over", "stray: not of this store", "scrub.json: "} {
			if !strings.Contains(strings.Join(all, "\n"), want) {
				t.Errorf("%v: no note of %q in %q", level, want, all)
			}
		}
	}
}

// counting counts the bytes that are read of each file.
type counting struct {
	fs.FS
	mu   sync.Mutex
	read map[string]int64
}

type countedFile struct {
	fs.File
	c    *counting
	name string
}

func (c *counting) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return f, err
	}
	return &countedFile{f, c, name}, nil
}

func (f *countedFile) count(n int) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.c.read[f.name] += int64(n)
}

func (f *countedFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.File.(io.ReaderAt).ReadAt(b, off)
	f.count(n)
	return n, err
}

func (f *countedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.count(n)
	return n, err
}

// TestEachLevelReadsItsShare counts the bytes that each level reads of a store
// with values much larger than its keys: below full no value of a sealed segment,
// and at full each byte once, header and footer apart.
func TestEachLevelReadsItsShare(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	db, err := store.Open(dir, &store.Options{SegmentSize: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 36 {
		if err := db.Put(fmt.Appendf(nil, "key%03d", i), bytes.Repeat([]byte{byte(i)}, 1<<19)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	const twice = 20 << 10 // of header and trailer
	for _, level := range levels {
		c := &counting{FS: os.DirFS(dir), read: map[string]int64{}}
		r := mustCheck(t, c, check.Options{Level: level})
		if len(r.Findings) > 0 {
			t.Fatalf("%v: %+v", level, r.Findings)
		}
		seen, total := 0, int64(0)
		for name, n := range c.read {
			total += n
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(name, ".seg") {
				continue
			}
			seen++
			switch size := info.Size(); {
			case level != integrity.Full && n > twice:
				t.Errorf("%v: %d bytes of %s, which has %d", level, n, name, size)
			case level == integrity.Full && (n < size || n > size+twice+256<<10):
				t.Errorf("%v: %d bytes of %s, which has %d", level, n, name, size)
			}
		}
		if seen < 2 {
			t.Fatalf("%d sealed segments", seen)
		}
		if d := total - r.Bytes; d < 0 || d > 200<<10 {
			t.Errorf("%v: the report says %d bytes, and %d were read", level, r.Bytes, total)
		}
	}
}

// TestASampleSaysWhatItBuys reads some of the segments, by seed.
func TestASampleSaysWhatItBuys(t *testing.T) {
	dir := fixture.ClosedStore(t)
	n := len(sealed(mapped(t, dir)))
	hit := 0
	for seed := range uint64(40) {
		m := mapped(t, dir)
		m[sealed(m)[1]].Data[500] ^= 1
		o := check.Options{Level: integrity.Full, Sample: 0.3, Seed: seed + 1}
		r := mustCheck(t, m, o)
		again := mustCheck(t, m, o)
		if r.Whole != (3*n+9)/10 || r.Seed == nil || *r.Seed != seed+1 || r.Confidence.Read != r.Whole || r.Confidence.Of != n || len(r.Findings) != len(again.Findings) {
			t.Fatalf("%+v", r)
		}
		hit += len(r.Findings)
	}
	if hit == 0 || hit == 40 {
		t.Errorf("damage in one of %d segments was met %d times of 40", n, hit)
	}
	for _, o := range []check.Options{{Sample: 0.5}, {Level: integrity.Full, Sample: 1.5}, {Level: integrity.Full, Sample: -1}, {Level: 9}} {
		if _, err := check.Run(t.Context(), os.DirFS(dir), o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

// TestSinceWhenAFindingsSegmentWasGood takes the scrub's word, but not about
// another file.
func TestSinceWhenAFindingsSegmentWasGood(t *testing.T) {
	m := mapped(t, fixture.ClosedStore(t))
	name := sealed(m)[1]
	r, err := segment.NewReader(bytes.NewReader(m[name].Data), int64(len(m[name].Data)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.OpenFooter()
	if err != nil {
		t.Fatal(err)
	}
	m[name].Data[500] ^= 1
	when := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		sum  [32]byte
		want time.Time
	}{{f.SHA256, when}, {[32]byte{1}, time.Unix(0, f.LastTime).UTC()}} {
		mem := integrity.ScrubLog{r.Header.Ref: {Verified: when, SHA256: c.sum}}
		b, err := mem.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		m[integrity.ScrubLogName] = &fstest.MapFile{Data: b}
		back, err := integrity.LoadScrubLog(m)
		if err != nil || !maps.Equal(back, mem) {
			t.Errorf("%v, %v", back, err)
		}
		rep := mustCheck(t, m, check.Options{Level: integrity.Full})
		if len(rep.Findings) != 1 || !rep.Findings[0].Good.Equal(c.want) {
			t.Errorf("%+v, want %v", rep.Findings, c.want)
		}
	}
}

func TestADamagedMemoryIsEmpty(t *testing.T) {
	for _, s := range []string{"", "{", "[]", `{"version":2}`, `{"version":1,"segments":{"x":{}}}`,
		`{"version":1,"segments":{"0000000000000007/00000000000000000001":{"verified":"2026-01-01T00:00:00Z","sha256":"00"}}}`,
		`{"version":1,"segments":{"0000000000000007/00000000000000000001":{"verified":"then","sha256":"` + strings.Repeat("0", 64) + `"}}}`,
		`{"version":1,"segments":{"7/1":{"verified":"2026-01-01T00:00:00Z","sha256":"` + strings.Repeat("0", 64) + `"}}}`,
	} {
		m, err := integrity.LoadScrubLog(fstest.MapFS{integrity.ScrubLogName: {Data: []byte(s)}})
		if m == nil || len(m) > 0 || err == nil {
			t.Errorf("%s: %v, %v", s, m, err)
		}
	}
	if m, err := integrity.LoadScrubLog(fstest.MapFS{}); m == nil || err != nil {
		t.Errorf("%v, %v", m, err)
	}
}

// TestCheckBesideAWriter checks a store that is written to, rolled and sealed all
// the time: nothing may be found.
func TestCheckBesideAWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	db := fixture.FillStore(t, dir, 30)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := db.Put(fmt.Appendf(nil, "key%03d", i%50), bytes.Repeat([]byte{byte(i)}, 300)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range 40 {
		r := mustCheck(t, os.DirFS(dir), check.Options{Level: levels[i%4], Writer: func() (bool, error) { return true, nil }})
		if len(r.Findings) > 0 || !r.Writer {
			t.Fatalf("check %d: %+v", i, r.Findings)
		}
	}
	close(stop)
	wg.Wait()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestCheckEndsWithItsContext(t *testing.T) {
	dir := fixture.ClosedStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := check.Run(ctx, os.DirFS(dir), check.Options{Level: integrity.Full}); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", r, err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	o := check.Options{Level: integrity.Full, Progress: func(int64, int64) { cancel() }}
	if r, err := check.Run(ctx, os.DirFS(dir), o); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := check.Run(t.Context(), os.DirFS(t.TempDir()), check.Options{}); !errors.Is(err, integrity.ErrNotStore) {
		t.Errorf("%v", err)
	}
}

// TestTheReportIsJSON holds the report to the fields that varve check documents.
func TestTheReportIsJSON(t *testing.T) {
	m := mapped(t, fixture.ClosedStore(t))
	m[sealed(m)[1]].Data[500] ^= 1
	b, err := json.Marshal(mustCheck(t, m, check.Options{Level: integrity.Full}))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"findings":[{"kind":"damaged record","segment":"`, `"notes":[`, `"level":"full"`, `"keys":["`, `"confidence":{"read":`} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("no %s in %s", want, b)
		}
	}
}
