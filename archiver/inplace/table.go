package inplace

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/pages"
	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/segment"
)

// remote is a segment that is read by range.
type remote struct {
	archive.Stored
	a     *archive.Archive
	store segment.UUID
	name  string
	src   io.ReaderAt
	limit uint64 // higher sequence numbers do not count
	id    int    // in feet
	feet  *pages.LRU[int, *segment.Footer]

	opening sync.Mutex              // held while the footer is fetched
	known   atomic.Pointer[summary] // nil: the footer was not read yet
	place   atomic.Pointer[segment.ChecksumSeed]
}

// summary is what a reader keeps of each segment that it has looked into: enough to skip the
// segment when a key cannot be there. It is never changed.
type summary struct {
	kind            segment.Kind
	firstSeq        uint64
	lastSeq         uint64
	empty           bool
	least, greatest []byte // bounds of the keys; a nil greatest: not known yet
}

// maxBound is how many bytes of a bound are kept.
const maxBound = 256

// excludes reports whether no key of [lo, hi) is in the segment; a nil hi is no bound.
func (b *summary) excludes(lo, hi []byte) bool {
	return b.empty || hi != nil && bytes.Compare(b.least, hi) >= 0 || b.greatest != nil && bytes.Compare(b.greatest, lo) < 0
}

// summaryOf returns the summary of a segment, from its footer.
func summaryOf(f *segment.Footer) *summary {
	least := f.FirstKey()
	return &summary{kind: f.Kind(), firstSeq: f.FirstSeq, lastSeq: f.LastSeq, empty: f.Entries() == 0,
		least: bytes.Clone(least[:min(len(least), maxBound)])}
}

// upTo returns the summary with the greatest key.
func (b summary) upTo(key []byte) *summary {
	b.greatest = key
	if len(key) > maxBound {
		b.greatest = segment.PrefixEnd(key[:maxBound])
	}
	return &b
}

// table returns the footer of the segment if keys of [lo, hi) may be in its table, and nil
// otherwise; a nil hi is no bound. The bounds that it reads are kept: a segment that they
// exclude costs no request the next time.
func (s *remote) table(lo, hi []byte) (*segment.Footer, error) {
	if b := s.known.Load(); b != nil && b.excludes(lo, hi) {
		return nil, nil
	}
	f, err := s.footer()
	if err != nil {
		return nil, err
	}
	b := s.known.Load()
	if b.excludes(lo, hi) {
		return nil, nil
	}
	if _, last := f.LastBlock(); b.greatest == nil && bytes.Compare(lo, last) > 0 {
		// The block that would hold lo also holds the greatest key.
		key, err := f.LastKey()
		if err != nil {
			return nil, s.damaged(err)
		}
		b = b.upTo(key)
		s.known.Store(b)
		if b.excludes(lo, hi) {
			return nil, nil
		}
	}
	return f, nil
}

// footer returns the footer, which is kept if it was used lately. The error is not kept.
func (s *remote) footer() (*segment.Footer, error) {
	if f, ok := s.feet.Get(s.id); ok {
		return f, nil
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if f, ok := s.feet.Get(s.id); ok {
		return f, nil
	}
	f, err := s.fetch()
	if err != nil {
		return nil, s.damaged(err)
	}
	s.feet.Put(s.id, f, f.IndexSize()+footerFixed)
	return f, nil
}

// footerFixed is about what a footer takes beside the block index.
const footerFixed = 512

// fetch gets the footer with one request for the segment's end, as a rule, and learns the
// greatest key if the last block came with it.
func (s *remote) fetch() (*segment.Footer, error) {
	src := &archive.Tailed{Src: s.src, Size: s.Size, N: pages.PageSize, Ahead: true}
	f, err := segment.FooterOf(s.store, s.Ref, src, s.Size)
	if err != nil {
		return s.fetchWhole(err)
	}
	if s.known.Load() == nil {
		b := summaryOf(f)
		if off, _ := f.LastBlock(); !b.empty && off >= src.From() {
			// A damaged block is an error only for a key that needs it.
			if key, err := f.LastKey(); err == nil {
				b = b.upTo(key)
			}
		}
		s.known.Store(b)
	}
	src.Tail, src.Ahead = nil, false
	return f, nil
}

// fetchWhole reads the header, too, to find out why there is no footer: the object may not be
// the segment of its name.
func (s *remote) fetchWhole(why error) (*segment.Footer, error) {
	_, corrupt := errors.AsType[*segment.CorruptError](why)
	if !corrupt && !errors.Is(why, segment.ErrNoFooter) {
		return nil, why
	}
	r, err := segment.NewReader(s.src, s.Size)
	if err == nil {
		err = s.a.IsSegment(r.Header, s.store, s.Ref)
	}
	if err == nil {
		err = sealed.Footless(why, s.Ref, s.Size)
	}
	return nil, err
}

// damaged names the object in an error of reading it. An object that is gone counts as damaged.
func (s *remote) damaged(err error) error {
	return s.a.Vanished(s.a.Damaged(err, s.name, s.Ref), s.store, s.Ref)
}

// lookup returns the newest entry of a key that counts, if its sequence number is above a
// number.
func (s *remote) lookup(key []byte, above uint64) (e segment.Entry, found bool, err error) {
	if b := s.known.Load(); b != nil && b.lastSeq <= above {
		return e, false, nil
	}
	f, err := s.table(key, append(bytes.Clone(key), 0))
	if f == nil || f.LastSeq <= above {
		return e, false, err
	}
	if f.LastSeq <= s.limit {
		e, found, err = f.Lookup(key)
		return e, found && e.Seq > above, s.damaged(err)
	}
	c := f.CursorAt(key)
	for c.Next() && bytes.Equal(c.Entry.Key, key) {
		if c.Entry.Seq <= s.limit {
			e = c.Entry
			e.Key, e.Slots = bytes.Clone(e.Key), bytes.Clone(e.Slots)
			return e, e.Seq > above, nil
		}
	}
	return e, false, s.damaged(c.Err())
}

// object reads the object of an entry. It is the caller's.
func (s *remote) object(key []byte, seq uint64, off, size int64) (segment.Object, error) {
	b := make([]byte, size)
	if n, err := s.src.ReadAt(b, off); n < len(b) {
		return segment.Object{}, s.damaged(err)
	}
	return s.parse(b, key, seq, off)
}

// placed returns the checksum seed of the segment's records. It stays when the footer is
// dropped.
func (s *remote) placed() (*segment.ChecksumSeed, error) {
	if p := s.place.Load(); p != nil {
		return p, nil
	}
	f, err := s.footer()
	if err != nil {
		return nil, err
	}
	p, err := f.ChecksumSeed()
	if err != nil {
		return nil, s.damaged(err)
	}
	s.place.Store(&p)
	return &p, nil
}

// parse checks that b is the record that the table names, and returns its object.
func (s *remote) parse(b, key []byte, seq uint64, off int64) (segment.Object, error) {
	place, err := s.placed()
	if err != nil {
		return segment.Object{}, err
	}
	var rec segment.Record
	err = place.ParseRecord(b, off, &rec)
	if errors.Is(err, segment.ErrShort) {
		err = &segment.CorruptError{Offset: off, Reason: "record cut off"}
	}
	if err == nil && (rec.Seq != seq || rec.Size != int64(len(b)) || rec.Kind != segment.Put || !bytes.Equal(rec.Key, key)) {
		err = &segment.CorruptError{Offset: off, Reason: "not the record that the table names"}
	}
	if c, ok := errors.AsType[*segment.CorruptError](err); ok && c.Keys == nil {
		c.Keys = [][]byte{bytes.Clone(key)}
	}
	return rec.Object(), s.damaged(err)
}
