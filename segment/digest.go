package segment

import (
	"crypto/sha256"
	"hash"
	"io"
)

// hashing reads from src and hashes each byte once, in order, so that one pass
// over a file feeds both a walk and its digest.
type hashing struct {
	src io.ReaderAt
	sum hash.Hash
	at  int64 // all before is hashed
}

// ReadAt implements io.ReaderAt.
func (h *hashing) ReadAt(b []byte, off int64) (int, error) {
	if err := h.catchUp(off); err != nil {
		return 0, err
	}
	n, err := h.src.ReadAt(b, off)
	if fresh := off + int64(n) - h.at; fresh > 0 {
		h.sum.Write(b[int64(n)-fresh : n])
		h.at += fresh
	}
	return n, err
}

// catchUp hashes what was not read up to an offset.
func (h *hashing) catchUp(to int64) error {
	if h.at >= to {
		return nil
	}
	b := make([]byte, min(windowSize, to-h.at))
	for h.at < to {
		b = b[:min(int64(len(b)), to-h.at)]
		if err := readFull(h.src, b, h.at); err != nil {
			return err
		}
		h.sum.Write(b)
		h.at += int64(len(b))
	}
	return nil
}

// CheckDigest reads the file once and compares its SHA-256 with the footer's.
// The error is a *CorruptError or the source's.
func (f *Footer) CheckDigest() error {
	_, err := f.checkDigest()
	return err
}

// CheckFile is CheckDigest, and returns the SHA-256 of the whole file, from the
// same one read. With that, all bytes of the file are proven to be those that
// were sealed: the trailer's CRC, which OpenFooter checked, covers the rest.
func (f *Footer) CheckFile() (sum [32]byte, err error) {
	h, err := f.checkDigest()
	if err != nil {
		return sum, err
	}
	if err := h.catchUp(f.FileSize); err != nil {
		return sum, err
	}
	return [32]byte(h.sum.Sum(nil)), nil
}

func (f *Footer) checkDigest() (*hashing, error) {
	at := f.FileSize - int64(trailerSize)
	h := &hashing{src: f.r.src, sum: sha256.New()}
	if err := h.catchUp(at + digestAt); err != nil {
		return nil, err
	}
	if [32]byte(h.sum.Sum(nil)) != f.SHA256 {
		return nil, f.r.named(corrupt(at+digestAt, "SHA-256 of the file"))
	}
	return h, nil
}
