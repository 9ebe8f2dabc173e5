package segment

import "errors"

// Find looks for the first whole record, both of its CRCs sound, that begins in
// [from, to), at whatever offset, and returns where it begins and its sequence number; found
// is false if there is none. It is how a reader goes on past damage, and how
// it is proven that bytes which do not check are not the end of a log.
//
// next is the sequence number that was due at from. A record of a log found at a
// distance can be at most as many numbers ahead as records fit between, which
// spares nearly every false start; in an output any number from the header's
// first on will do. The error is the source's.
func (r *Reader) Find(from, to int64, next uint64) (off int64, seq uint64, found bool, err error) {
	f := finder{r: r, from: from, end: min(to, r.Size), next: next}
	buf := make([]byte, min(windowSize, max(0, f.end-from)))
	for base := from; base+recordFixed <= f.end; {
		b := buf[:min(int64(len(buf)), f.end-base)]
		if err := readFull(r.src, b, base); err != nil {
			return 0, 0, false, err
		}
		for i := 0; i+recordFixed <= len(b); i++ {
			if !f.plausible(b[i:], base+int64(i)) {
				continue
			}
			if ok, err := f.whole(base + int64(i)); err != nil {
				return 0, 0, false, err
			} else if ok {
				return f.rec.Offset, f.rec.Seq, true, nil
			}
		}
		base += int64(len(b)) - recordFixed + 1
	}
	return 0, 0, false, nil
}

type finder struct {
	r    *Reader
	from int64
	end  int64
	next uint64
	rec  Record
}

// plausible reports whether a record may begin with b at offset off.
func (f *finder) plausible(b []byte, off int64) bool {
	if k := RecordKind(b[8]); k < Put || k > Close || Flags(b[9])&flagReserved != 0 {
		return false
	}
	if f.r.Header.Kind != Log {
		return true
	}
	ahead := le.Uint32(b[16:]) - uint32(f.next-f.r.Header.FirstSeq)
	return int64(ahead) <= (off-f.from)/MinRecord+1
}

// whole reports whether a record that is sound in all its parts begins at off.
func (f *finder) whole(off int64) (bool, error) {
	w := f.r.newWalk(Span{From: off, To: f.end, Depth: CheckValues})
	w.log = false // the order was judged by plausible
	err := w.step()
	f.rec = w.rec
	if err == nil {
		return true, nil
	}
	if c := (*CorruptError)(nil); errors.As(err, &c) {
		return false, nil
	}
	return false, err
}
