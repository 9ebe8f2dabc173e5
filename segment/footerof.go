package segment

import (
	"bytes"
	"cmp"
	"io"
)

// FooterOf opens the footer of the sealed segment that is known by its name alone, without
// reading its header: for a source where each read costs a round trip. The checksums of
// trailer, block index and blocks depend on the name, so that no other segment's footer
// passes for this one's. The header of an output is read for the first entry that is handed
// out, since the sequence numbers in its table count from the header's first; nothing else
// needs a header.
// Errors are those of OpenFooter.
func FooterOf(store UUID, ref Ref, src io.ReaderAt, size int64) (*Footer, error) {
	r := ReaderFor(&Head{UUID: store, Ref: ref}, src, size)
	r.HeaderSize = MinHeader // of an output; a log's is not shorter
	b, at, err := r.readTrailer()
	if err != nil {
		return nil, r.named(err)
	}
	s, _, err := r.parseTrailer(b, at)
	if err != nil {
		return nil, r.named(err)
	}
	// An empty log begins with a record of another kind, and no output has one.
	r.Header.Kind = Output
	if s.Others > 0 {
		r.Header.Kind = Log
	}
	r.Header.FirstSeq, r.seed.First = s.FirstSeq, s.FirstSeq // a log's are the same
	f, err := r.footerIn(b, at)
	if err != nil {
		return nil, r.named(err)
	}
	f.headless = r.Header.Kind == Output
	return f, nil
}

// Kind says what the footer is of.
func (f *Footer) Kind() Kind { return f.r.Header.Kind }

// ChecksumSeed returns what ties the segment's records to it. It reads the header where FooterOf
// left that out. The error is a *CorruptError or the source's.
func (f *Footer) ChecksumSeed() (ChecksumSeed, error) {
	first, err := f.ready()
	return ChecksumSeed{f.r.seed.crc, first}, f.r.named(err)
}

// ready returns the first sequence number of the header, which it reads if need be.
func (f *Footer) ready() (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.headless {
		return cmp.Or(f.first, f.r.seed.First), nil
	}
	r, err := NewReader(f.r.src, f.r.Size)
	if err != nil {
		return 0, err
	}
	h := r.Header
	if h.Kind != Output || h.UUID != f.r.Header.UUID || h.Ref != f.r.Header.Ref || r.HeaderSize != f.r.HeaderSize || h.FirstSeq > f.FirstSeq ||
		f.Entries() == 0 && h.FirstSeq != f.FirstSeq {
		return 0, corrupt(0, "header and trailer disagree")
	}
	f.first, f.headless = h.FirstSeq, false
	return f.first, nil
}

// lacksHeader reports whether ready would read the header.
func (f *Footer) lacksHeader() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.headless
}

// FirstKey returns the least key of the table, nil for an empty table. It reads nothing.
// The key is the footer's.
func (f *Footer) FirstKey() []byte {
	if len(f.blocks) == 0 {
		return nil
	}
	return f.blocks[0].first
}

// LastBlock returns where the last block of the table begins, and its first key: only a key
// that is greater can be greater than all of the table. It reads nothing, and the key is
// the footer's, nil for an empty table.
func (f *Footer) LastBlock() (off int64, first []byte) {
	if len(f.blocks) == 0 {
		return f.index, nil
	}
	k := &f.blocks[len(f.blocks)-1]
	return k.off, k.first
}

// LastKey returns the greatest key of the table, as the caller's own; nil for an empty
// table. It reads the last block. The error is a *CorruptError or the source's.
func (f *Footer) LastKey() ([]byte, error) {
	n := len(f.blocks)
	c := Cursor{f: f, next: max(0, n-1), end: n, keys: true}
	for c.Next() {
	}
	if err := c.Err(); err != nil || n == 0 {
		return nil, err
	}
	return bytes.Clone(c.Entry.Key), nil
}

// TableEnd is where the blocks of the table, which begin at RecordsEnd, end in the file.
func (f *Footer) TableEnd() int64 { return f.index }

// IndexSize is the length of the block index in the file: nearly all of the memory that a
// footer takes.
func (f *Footer) IndexSize() int64 { return f.FileSize - int64(trailerSize) - f.index }
