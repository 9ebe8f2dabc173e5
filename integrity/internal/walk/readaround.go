package walk

import (
	"cmp"
	"context"
	"io"
	"slices"
)

const (
	// holeSize is how many bytes are given up at once where the disk cannot read.
	holeSize = 4 << 10

	// maxHoles bounds how often a failing disk is asked: each time can take seconds.
	maxHoles = 256
)

// ReadAround reads a file past the parts that cannot be read, so that all other records can be
// judged. It returns zeros for these parts, and notes them.
type ReadAround struct {
	Ctx   context.Context
	Src   io.ReaderAt
	holes []Hole // in the order in which they were found; neighbors may touch
}

// Hole is a part of a file that could not be read.
type Hole struct {
	Off, End int64
	Err      error
}

// ReadAt implements io.ReaderAt.
func (p *ReadAround) ReadAt(b []byte, off int64) (int, error) {
	if !p.touches(off, off+int64(len(b))) {
		n, err := p.Src.ReadAt(b, off)
		if n == len(b) || err == nil || err == io.EOF || p.Ctx.Err() != nil {
			return n, err
		}
	}
	for n := 0; n < len(b); {
		at := off + int64(n)
		piece := b[n:min(int64(len(b)), int64(n)+holeSize-at%holeSize)]
		m, err := p.piece(piece, at)
		n += m
		if m < len(piece) {
			return n, err
		}
	}
	return len(b), nil
}

func (p *ReadAround) touches(off, end int64) bool {
	for _, x := range p.holes {
		if off < x.End && end > x.Off {
			return true
		}
	}
	return false
}

// piece reads what lies in one block of holeSize.
func (p *ReadAround) piece(b []byte, off int64) (int, error) {
	block := off - off%holeSize
	if !p.touches(off, off+int64(len(b))) {
		n, err := p.Src.ReadAt(b, off)
		if n == len(b) || err == nil || err == io.EOF || p.Ctx.Err() != nil || len(p.holes) == maxHoles {
			return n, err
		}
		p.holes = append(p.holes, Hole{block, block + holeSize, err})
	}
	clear(b)
	return len(b), nil
}

// Holes returns the patches in order, neighbors as one, cut at the file's end.
func (p *ReadAround) Holes(size int64) (out []Hole) {
	slices.SortFunc(p.holes, func(a, b Hole) int { return cmp.Compare(a.Off, b.Off) })
	for _, x := range p.holes {
		x.End = min(x.End, size)
		if n := len(out); n > 0 && out[n-1].End == x.Off {
			out[n-1].End = x.End
		} else {
			out = append(out, x)
		}
	}
	return out
}
