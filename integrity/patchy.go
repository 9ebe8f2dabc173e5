package integrity

import (
	"cmp"
	"context"
	"io"
	"slices"
)

const (
	// patchSize is what is given up at once where the disk does not read.
	patchSize = 4 << 10

	// maxPatches bounds how often a failing disk is asked again: each time can
	// take it seconds.
	maxPatches = 256
)

// patchy reads a file on past what cannot be read, which it takes for zeros and
// keeps note of, so that all other records can be judged.
type patchy struct {
	ctx     context.Context
	src     io.ReaderAt
	patches []patch // as they were met; neighbors may touch
}

// patch is a part of a file that could not be read.
type patch struct {
	off, end int64
	err      error
}

// ReadAt implements io.ReaderAt.
func (p *patchy) ReadAt(b []byte, off int64) (int, error) {
	if !p.touches(off, off+int64(len(b))) {
		n, err := p.src.ReadAt(b, off)
		if n == len(b) || err == nil || err == io.EOF || p.ctx.Err() != nil {
			return n, err
		}
	}
	for n := 0; n < len(b); {
		at := off + int64(n)
		piece := b[n:min(int64(len(b)), int64(n)+patchSize-at%patchSize)]
		m, err := p.piece(piece, at)
		n += m
		if m < len(piece) {
			return n, err
		}
	}
	return len(b), nil
}

func (p *patchy) touches(off, end int64) bool {
	for _, x := range p.patches {
		if off < x.end && end > x.off {
			return true
		}
	}
	return false
}

// piece reads what lies in one block of patchSize.
func (p *patchy) piece(b []byte, off int64) (int, error) {
	block := off - off%patchSize
	if !p.touches(off, off+int64(len(b))) {
		n, err := p.src.ReadAt(b, off)
		if n == len(b) || err == nil || err == io.EOF || p.ctx.Err() != nil || len(p.patches) == maxPatches {
			return n, err
		}
		p.patches = append(p.patches, patch{block, block + patchSize, err})
	}
	clear(b)
	return len(b), nil
}

// merged returns the patches in order, neighbors as one, cut at the file's end.
func (p *patchy) merged(size int64) (out []patch) {
	slices.SortFunc(p.patches, func(a, b patch) int { return cmp.Compare(a.off, b.off) })
	for _, x := range p.patches {
		x.end = min(x.end, size)
		if n := len(out); n > 0 && out[n-1].end == x.off {
			out[n-1].end = x.end
		} else {
			out = append(out, x)
		}
	}
	return out
}
