package segment

import (
	"crypto/sha256"
	"errors"
	"hash/crc32"
	"sync"
)

// The footer of a sealed segment begins where its records end.
//
//	footer           table blocks · block index · trailer
//
//	table block      offset  size
//	                      0     4  CRC-32C of what follows
//	                      4     4  length of the block, CRC included
//	                      8     4  number of entries, at least 1
//	                      …     …  entries
//
//	entry            flags of the record, and bit 7 for a delete       1
//	                 bytes of key shared with the entry before         uvarint
//	                 bytes of key that follow                          uvarint
//	                 those bytes
//	                 offset of the record in the file                  uvarint
//	                 size of the record                                uvarint
//	                 sequence number − the header's first              uvarint
//	                 expiry time                                       8        if FlagExpiry
//	                 length of the slots                               uvarint  if FlagSlots
//	                 the slots                                                  likewise
//
//	block index      for each block:
//	                      0     8  offset of the block in the file
//	                      8     4  length of the block
//	                     12     4  number of its entries
//	                     16     2  1 if the block before ends with the same key, else 0
//	                     18     2  length of its first key
//	                      …     …  its first key
//	                 and after the last:
//	                      …     4  CRC-32C of the index
//
//	trailer          offset  size
//	                      0     8  offset where the records end
//	                      8     8  offset of the block index
//	                     16     8  its length, CRC included
//	                     24     8  number of blocks
//	                     32     8  number of entries
//	                     40     8  puts
//	                     48     8  deletes
//	                     56     8  other records
//	                     64     8  batches of puts and deletes
//	                     72     8  least sequence number
//	                     80     8  greatest sequence number; the least − 1 for none
//	                     88     8  first commit time; 0 for none
//	                     96     8  last commit time; 0 for none
//	                    104     8  bytes of all puts, whole records
//	                    112    32  SHA-256 of all bytes of the file before this field
//	                    144     4  CRC-32C of the trailer's 144 bytes before
//	                    148     2  version, 1
//	                    150     2  reserved
//	                    152     8  magic "varveend"
//
// Each CRC begins with the place of its block, of the index or of the trailer,
// as a record's does. Entries are in order of key, then of falling sequence
// number: of several versions the newest comes first. Sharing begins anew with
// each block and is always as long as can be. A block takes every entry that
// keeps it within maxBlock bytes; an entry that alone is larger has a block of
// its own. So a footer is a pure function of the bytes before it.
const (
	footerMagic = "varveend"

	maxBlock   = 16 << 10
	blockFixed = 12 // up to the first entry
	indexFixed = 20 // of one block's place in the index, up to its first key

	digestAt    = 112 // of the SHA-256 in the trailer
	trailerCRC  = digestAt + sha256.Size
	trailerSize = trailerCRC + crcSize + 4 + len(footerMagic)

	entryDelete = 1 << 7 // the bit that no record's flags have
	minEntry    = 6      // bytes of an entry of the same key as the one before
)

// ErrNoFooter says that a file does not end with a footer: it was not sealed,
// or the last bytes of the footer are lost.
var ErrNoFooter = errors.New("segment has no footer")

// Summary is what the footer says of a segment as a whole.
type Summary struct {
	Puts    int64
	Deletes int64
	Others  int64 // edits, marks, ends and closes
	Batches int64 // of puts and deletes; none in an output

	// PutBytes is the size of all put records, heads included: what the segment
	// would hold if each of them were live.
	PutBytes int64

	// FirstSeq and LastSeq are the least and the greatest sequence number of
	// a put or delete. If there is none, FirstSeq is the header's and LastSeq one
	// less.
	FirstSeq uint64
	LastSeq  uint64

	// FirstTime and LastTime are the first and last commit time, that of marks,
	// edits, ends and closes included; both zero in an output.
	FirstTime int64
	LastTime  int64

	RecordsEnd int64    // where the records end and the footer begins
	FileSize   int64    // with the footer
	SHA256     [32]byte // of all of the file up to this digest
}

// Entries returns how many entries the table has: one for each put and delete.
func (s *Summary) Entries() int64 { return s.Puts + s.Deletes }

// Digested returns how many bytes, from the beginning of the file, the SHA-256 is of.
func (s *Summary) Digested() int64 { return s.FileSize - int64(trailerSize) + digestAt }

// Footer is the footer of a sealed segment: the summary, and the way to its
// table. Its methods may be called from several goroutines if those of the
// source may.
type Footer struct {
	Summary
	Blocks int // of the table

	r      *Reader
	index  int64 // offset of the block index
	blocks []block

	mu       sync.Mutex // guards what follows
	headless bool       // of an output whose header was not read: see ready
	first    uint64     // the header's first sequence number; 0: r.place has it
}

// block is one block's place in the index.
type block struct {
	off       int64
	size      int64
	count     int
	continued bool // the block before ends with the same key
	first     []byte
}

// OpenFooter reads the end of a sealed file, r.Size bytes long, and checks
// trailer and block index: not the blocks, which are checked as they are read,
// nor the digest. The error is ErrNoFooter if the file does not end with a
// footer, wraps ErrVersion, is a *CorruptError, or is the source's.
func (r *Reader) OpenFooter() (*Footer, error) {
	f, err := r.openFooter()
	if err != nil {
		return nil, r.named(err)
	}
	return f, nil
}

func (r *Reader) openFooter() (*Footer, error) {
	if r.HeaderSize == 0 {
		return nil, ErrNoFooter
	}
	b, at, err := r.readTrailer()
	if err != nil {
		return nil, err
	}
	return r.footerIn(b, at)
}

// readTrailer reads the trailer's bytes, which begin at an offset.
func (r *Reader) readTrailer() (b []byte, at int64, err error) {
	at = r.Size - int64(trailerSize)
	if at < r.HeaderSize {
		return nil, 0, ErrNoFooter
	}
	b = make([]byte, trailerSize)
	return b, at, readFull(r.src, b, at)
}

// footerIn opens the footer with the trailer b, which begins at an offset.
func (r *Reader) footerIn(b []byte, at int64) (*Footer, error) {
	f := &Footer{r: r}
	length, count, err := f.parseTrailer(b, at)
	if err != nil {
		return nil, err
	}
	index := make([]byte, length)
	if err := readFull(r.src, index, f.index); err != nil {
		return nil, err
	}
	return f, f.parseIndex(index, count)
}

// appendTrailer appends all of the trailer that stands before the digest.
func appendTrailer(dst []byte, s *Summary, index, length, blocks int64) []byte {
	for _, v := range [...]int64{
		s.RecordsEnd, index, length, blocks,
		s.Entries(), s.Puts, s.Deletes, s.Others, s.Batches,
		int64(s.FirstSeq), int64(s.LastSeq), s.FirstTime, s.LastTime, s.PutBytes,
	} {
		dst = le.AppendUint64(dst, uint64(v))
	}
	return dst
}

// appendDigest appends the rest: at is where the trailer begins in the file,
// and its first digestAt bytes are the last of dst.
func appendDigest(dst []byte, p ChecksumSeed, at int64, sum [32]byte) []byte {
	start := len(dst) - digestAt
	dst = append(dst, sum[:]...)
	dst = le.AppendUint32(dst, crc32.Update(p.at(at), castagnoli, dst[start:]))
	dst = le.AppendUint16(dst, Version)
	dst = append(dst, 0, 0)
	return append(dst, footerMagic...)
}

// parseTrailer reads the trailer that stands at offset at, and returns length
// and number of blocks of the index, both bounded by the file.
func (f *Footer) parseTrailer(b []byte, at int64) (length, blocks int64, err error) {
	var v trailer
	if f.Summary, v, err = f.r.parseTrailer(b, at); err != nil {
		return 0, 0, err
	}
	f.index, length, blocks = v[1], v[2], v[3]
	ok := f.RecordsEnd >= f.r.HeaderSize && f.RecordsEnd <= f.index && f.index <= at &&
		length == at-f.index && length >= crcSize && blocks >= 0 && blocks <= (length-crcSize)/indexFixed &&
		f.checkCounts() && v[4] == f.Entries() && (blocks > 0) == (v[4] > 0) && blocks <= v[4]
	if !ok {
		return 0, 0, corrupt(at, "trailer fields disagree")
	}
	return length, blocks, nil
}

// bounded reports whether records of so many bytes can be what the summary says.
func (s *Summary) bounded(room int64) bool {
	most := room / MinRecord
	for _, n := range [...]int64{s.Puts, s.Deletes, s.Others} {
		if n < 0 || n > most {
			return false
		}
	}
	return s.Puts+s.Deletes+s.Others <= most && s.Batches >= 0 && s.Batches <= s.Entries() &&
		s.PutBytes >= s.Puts*MinRecord && s.PutBytes <= room
}

// checkCounts reports whether the summary can belong to this segment.
func (f *Footer) checkCounts() bool {
	if !f.bounded(f.RecordsEnd - f.r.HeaderSize) {
		return false
	}
	n, first := uint64(f.Entries()), f.r.seed.First
	if f.r.Header.Kind == Log {
		return f.FirstSeq == first && f.LastSeq == first+n-1 && f.Others > 0 &&
			(f.Batches > 0) == (n > 0) && f.FirstTime > 0 && f.FirstTime <= f.LastTime
	}
	if f.Others != 0 || f.Batches != 0 || f.FirstTime != 0 || f.LastTime != 0 {
		return false
	}
	if n == 0 {
		return f.FirstSeq == first && f.LastSeq == first-1 && f.RecordsEnd == f.r.HeaderSize
	}
	return f.FirstSeq >= first && f.LastSeq >= f.FirstSeq && f.LastSeq-f.FirstSeq >= n-1
}
