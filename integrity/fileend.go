package integrity

import (
	"bytes"
	"io"
	"sync"
)

// fileEnd reads the end of a source at once, with the first read that lies in it, and keeps as
// much of it as keep says.
type fileEnd struct {
	src  io.ReaderAt
	size int64

	once sync.Once
	from int64
	tail []byte // the bytes from offset from on; empty: not read, or not kept
}

// endSize is how much is read at once: the footer of a segment of a few hundred small
// objects, and all of one that holds less.
const endSize = 4 << 10

// ReadAt implements io.ReaderAt.
func (f *fileEnd) ReadAt(b []byte, off int64) (int, error) {
	if off < max(0, f.size-endSize) || off+int64(len(b)) > f.size {
		return f.src.ReadAt(b, off)
	}
	var err error
	f.once.Do(func() { err = f.read() })
	if err != nil || off < f.from || off+int64(len(b)) > f.from+int64(len(f.tail)) {
		return f.src.ReadAt(b, off)
	}
	return copy(b, f.tail[off-f.from:]), nil
}

// read reads the end. If that fails, the caller reads its own bytes, and gets the error.
func (f *fileEnd) read() error {
	f.from = max(0, f.size-endSize)
	tail := make([]byte, f.size-f.from)
	if n, err := f.src.ReadAt(tail, f.from); n < len(tail) {
		return err
	}
	f.tail = tail
	return nil
}

// keep keeps of the end what stands from one offset to another, if all of that was read,
// and else nothing. No read may be under way.
func (f *fileEnd) keep(from, to int64) {
	if len(f.tail) == 0 || from < f.from {
		f.tail = nil
		return
	}
	f.tail, f.from = bytes.Clone(f.tail[from-f.from:to-f.from]), from
}
