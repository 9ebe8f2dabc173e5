package integrity

import "io"

// WithFooter reads src up to the offset end, and the footer after that: a segment whose file does
// not have that footer.
func WithFooter(src io.ReaderAt, footer []byte, end int64) io.ReaderAt {
	return &withFooter{src, footer, end}
}

type withFooter struct {
	src    io.ReaderAt
	footer []byte
	end    int64
}

func (w *withFooter) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	if off < w.end {
		n = int(min(int64(len(b)), w.end-off))
		if m, err := w.src.ReadAt(b[:n], off); m < n {
			return m, err
		}
	}
	if n == len(b) {
		return n, nil
	}
	m := copy(b[n:], w.footer[min(int64(len(w.footer)), max(0, off+int64(n)-w.end)):])
	if n += m; n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
