package sealed

import (
	"crypto/sha256"
	"hash"
	"io"

	"github.com/varve-db/varve/segment"
)

// Digests hashes the bytes of a segment file as they go by, in order. It makes two SHA-256
// hashes: of the whole file, and of all before the hash in the footer.
type Digests struct {
	sum   hash.Hash
	at    int64    // hashed so far
	inner int64    // where the footer's own digest begins, less than 0 where no footer fits
	got   [32]byte // of all before inner
}

// NewDigests returns the digests of a file of size bytes.
func NewDigests(size int64) *Digests {
	return &Digests{sum: sha256.New(), inner: (&segment.Summary{FileSize: size}).Digested()}
}

// Write hashes the bytes that follow. It does not fail.
func (d *Digests) Write(p []byte) (int, error) {
	all := len(p)
	if n := d.inner - d.at; n >= 0 && n <= int64(len(p)) {
		d.sum.Write(p[:n])
		d.got = [32]byte(d.sum.Sum(nil))
		d.at, p = d.inner, p[n:]
	}
	d.sum.Write(p)
	d.at += int64(len(p))
	return all, nil
}

// Whole returns the SHA-256 of all that was added.
func (d *Digests) Whole() [32]byte { return [32]byte(d.sum.Sum(nil)) }

// Segment proves that what was added is, byte for byte, a file that was sealed. file is the
// file that it was written to, of which only header and footer are read. The errors are those of Verify.
func (d *Digests) Segment(file io.ReaderAt, size int64) (*Segment, error) {
	r, f, err := Footed(file, size)
	if err != nil {
		return nil, err
	}
	if d.at != size || d.got != f.SHA256 {
		return nil, &segment.CorruptError{Segment: r.Header.Ref, Offset: d.inner, Reason: "SHA-256 of the file"}
	}
	return Summarized(r, f, d.Whole()), nil
}
