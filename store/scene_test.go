package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/segment"
)

// scene is a store that is to be damaged, with all that is known of it.
type scene struct {
	name    string
	fs      *crashfs.FS // all of it on the disk
	opt     Options
	track   *track
	newest  string // the newest log's file
	hdr     *segment.Header
	hdrSize int64
	log     []segment.Record // the records of the newest log
	ended   uint64           // the last sequence number before it
}

// scenes returns small stores, 64 KB each, with every kind of record, that were
// left in different ways.
func scenes(t *testing.T) (list []*scene) {
	for _, s := range []struct {
		name  string
		leave func(b *builder)
	}{
		{"closed", func(b *builder) { b.close() }},
		{"killed after the idle mark", func(b *builder) { time.Sleep(time.Second); b.put(); time.Sleep(time.Second); b.kill() }},
		{"closed, then copied", func(b *builder) { b.close(); b.fs = b.fs.Copy() }},
		{"killed", func(b *builder) { b.kill() }},
		{"killed with logs that could not be sealed", func(b *builder) {
			b.close()
			b.fs.Fail(func(op crashfs.Op) error {
				if strings.HasSuffix(op.To, ".seg") {
					return syscall.EIO
				}
				return nil
			})
			b.open(8 << 10)
			b.more(90)
			b.kill()
		}},
		{"recovered, then closed", func(b *builder) { b.kill(); b.open(1 << 16); b.more(12); b.close() }},
		{"recovered, rolled, then killed", func(b *builder) {
			b.kill()
			b.open(1 << 16)
			b.more(12)
			b.db.Seal()
			b.more(8)
			b.kill()
		}},
	} {
		list = append(list, build(t, s.name, s.leave))
	}
	return list
}

// builder writes the store of a scene.
type builder struct {
	t    *testing.T
	fs   *crashfs.FS
	db   *DB
	tr   *track
	next uint64
	n    int
}

func build(t *testing.T, name string, leave func(*builder)) *scene {
	b := &builder{t: t, fs: crashfs.New(), tr: &track{}, next: 1}
	synctest.Test(t, func(t *testing.T) {
		b.t = t
		b.open(8 << 10)
		b.more(330)
		b.close()
		b.adoptOutput()
		b.open(1 << 16)
		if !b.db.OpenReport().Clean {
			t.Fatal("a log with an edit: not clean")
		}
		b.more(25)
		leave(b)
	})
	return b.scene(name)
}

func (b *builder) open(size int64) {
	b.db = mustOpen(b.t, b.fs, Options{SegmentSize: size})
	synctest.Wait() // until the next log is prepared
}

func (b *builder) close() { mustClose(b.t, b.db) }

// kill ends the process; what it wrote is on the disk.
func (b *builder) kill() {
	killed := b.fs.Crash(1, crashfs.Kind{Data: crashfs.DataAll, Names: crashfs.NamesAll})
	b.db.Close()
	b.fs = killed
}

// more makes commits, of every kind.
func (b *builder) more(n int) {
	for range n {
		b.put()
	}
}

// put makes the next commit: mostly a put; at times a delete, a batch, an object
// with meta, or one with slots and an expiry time.
func (b *builder) put() {
	b.n++
	key := func(i int) []byte { return fmt.Appendf(nil, "key %02d", i%40) }
	obj := func(i int) segment.Record {
		return segment.Record{Kind: segment.Put, Key: key(i), Value: fmt.Appendf(nil, "%d %0*d", b.n, i*7%200, i)}
	}
	recs := []segment.Record{obj(b.n * 7)}
	switch r := &recs[0]; b.n % 9 {
	case 3:
		*r = segment.Record{Kind: segment.Delete, Key: key(b.n)}
	case 5:
		recs = append(recs, segment.Record{Kind: segment.Delete, Key: key(b.n * 3)}, obj(b.n*5+1), obj(b.n*11+2))
	case 6:
		r.Meta, r.Flags = []byte{0x81, 0xa1, 'n', byte(b.n)}, segment.FlagMsgpack
	case 7:
		r.Slots = segment.AppendSlots(nil, []segment.Slot{{Number: 1, Value: []byte("blue")}, {Number: 2, Value: key(b.n)}})
		r.Expiry = 1 << 62
	}
	var changes []change1
	for i := range recs {
		r := &recs[i]
		ch := change1{key: string(r.Key)}
		if r.Kind == segment.Put {
			o := r.Object()
			o.Key, o.Seq = nil, b.next
			ch.obj = &o
		}
		changes = append(changes, ch)
		b.next++
	}
	b.tr.steps = append(b.tr.steps, step{changes: changes, seq: b.next - 1})
	if err := b.db.commit(recs); err != nil {
		b.t.Fatal(err)
	}
}

// adoptOutput does what compaction will: it writes the records of one sealed
// segment as an output, in order of key, and an edit into the newest log, which
// was closed, that puts it in the place of the other.
func (b *builder) adoptOutput() {
	s, err := integrity.Survey(b.fs)
	if err != nil {
		b.t.Fatal(err)
	}
	st, err := resolveState(s, &Options{}, false)
	if err != nil {
		b.t.Fatal(err)
	}
	defer st.Close()
	old := st.Parts[2]
	h := &segment.Header{Head: segment.Head{Kind: segment.Output, UUID: st.UUID, Ref: segment.Ref{Timeline: old.Header.Ref.Timeline, ID: st.Newest.Header.Ref.ID + 10},
		FirstSeq: old.Header.FirstSeq, Time: old.Header.Time}}
	b.fs.SetBytes(sealName(h.Ref.ID), b.output(old, h))
	edit := segment.Record{Seq: st.V.NextSeq, Time: st.V.LastTime + 1}
	edit.SetEdit(segment.EditSet{Retire: []segment.Ref{old.Header.Ref}, Adopt: []segment.Ref{h.Ref}})
	log := b.fs.Bytes(st.Newest.Name)[:st.V.Durable] // without the close
	place := st.Newest.Header.ChecksumSeed()
	log = place.AppendRecord(log, int64(len(log)), &edit)
	for i := range int64(2) {
		r := segment.Record{Seq: st.V.NextSeq, Time: edit.Time + 1 + i, Vouch: int64(len(log)) - i*segment.CloseSize}
		r.SetClose(st.V.Inode, st.V.Birth)
		log = place.AppendRecord(log, int64(len(log)), &r)
	}
	b.fs.SetBytes(st.Newest.Name, log)
	if err := b.fs.Remove(old.Name); err != nil {
		b.t.Fatal(err)
	}
	b.fs.SyncDir(".")
}

// output returns the file of an output with header h and the records of a segment.
func (b *builder) output(old *integrity.Part, h *segment.Header) []byte {
	var recs []segment.Record
	r, err := segment.NewReader(fileOf(old), old.Size)
	if err != nil {
		b.t.Fatal(err)
	}
	for rec, err := range r.Records(segment.Span{To: old.Footer.RecordsEnd, Depth: segment.WithValues}) {
		if err != nil {
			b.t.Fatal(err)
		}
		if c := *rec; c.Kind.Data() {
			c.Flags &^= segment.FlagCommit | segment.FlagVouch
			c.Key, c.Value = slices.Clone(c.Key), slices.Clone(c.Value)
			c.Meta, c.Slots = slices.Clone(c.Meta), slices.Clone(c.Slots)
			recs = append(recs, c)
		}
	}
	slices.SortFunc(recs, func(a, b segment.Record) int {
		return cmp.Or(cmp.Compare(string(a.Key), string(b.Key)), cmp.Compare(b.Seq, a.Seq))
	})
	out := h.Append(nil)
	for i := range recs {
		out = h.ChecksumSeed().AppendRecord(out, int64(len(out)), &recs[i])
	}
	mem := crashfs.New()
	mem.SetBytes("x", out)
	f, _ := mem.Open("x")
	if r, err = segment.NewReader(f, int64(len(out))); err != nil {
		b.t.Fatal(err)
	}
	footer, _, err := r.Seal(int64(len(out)))
	if err != nil {
		b.t.Fatal(err)
	}
	return append(out, footer...)
}

// scene looks at what was built.
func (b *builder) scene(name string) *scene {
	sc := &scene{name: name, fs: b.fs, track: b.tr}
	sc.opt = resolve(b.t, Options{SegmentSize: 1 << 16})
	s, err := integrity.Survey(b.fs)
	if err != nil {
		b.t.Fatal(err)
	}
	e := s.NewestLog()
	sc.newest, sc.ended = e.Name, e.Header.FirstSeq-1
	f, err := b.fs.Open(e.Name)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	r, err := segment.NewReader(f, e.Size)
	if err != nil {
		b.t.Fatal(err)
	}
	sc.hdr, sc.hdrSize = r.Header, r.HeaderSize
	for rec, err := range r.Records(segment.Span{Depth: segment.CheckValues}) {
		if err != nil {
			b.t.Fatal(err)
		}
		sc.log = append(sc.log, *rec)
	}
	return sc
}
