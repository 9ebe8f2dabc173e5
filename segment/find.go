package segment

import "errors"

// Find looks for the first whole record, both of its CRCs sound, that lies in
// [from, to), at whatever offset, and returns where it begins and its sequence
// number; found is false if there is none. It is how a reader goes on past
// damage, and how it is proven that bytes which do not check are not the end
// of a log.
//
// next is the sequence number that was due at from. A record of a log found at a
// distance can be at most as many numbers ahead as records fit between, which
// spares nearly every false start; in an output any number from the header's
// first on will do. The error is the source's.
func (r *Reader) Find(from, to int64, next uint64) (off int64, seq uint64, found bool, err error) {
	w := r.newWalk(Span{From: from, To: min(to, r.Size), Depth: CheckValues})
	f := finder{log: w.log, from: w.off, end: w.end, due: uint32(next - r.seed.First)}
	w.log = false // the order is judged by plausible
	for {
		b, err := w.bytes(recordFixed)
		if errors.Is(err, ErrShort) {
			return 0, 0, false, nil
		} else if err != nil {
			return 0, 0, false, err
		}
		n, ok := f.scan(b, w.off)
		w.off += int64(n)
		if !ok {
			continue
		}
		if err := w.step(); err == nil {
			return w.rec.Offset, w.rec.Seq, true, nil
		} else if c := (*CorruptError)(nil); !errors.As(err, &c) {
			return 0, 0, false, err
		}
		w.off++
	}
}

// finder knows what a record's first bytes can be.
type finder struct {
	log  bool
	from int64
	end  int64
	due  uint32 // low half of the number that is due, less the header's first
}

// scan returns how many bytes of b, which stands at offset off, can be passed
// over, and whether a record may begin after them.
func (f *finder) scan(b []byte, off int64) (n int, ok bool) {
	for ; n+recordFixed <= len(b); n++ {
		if f.plausible(b[n:n+recordFixed], off+int64(n)) {
			return n, true
		}
	}
	return n, false
}

// plausible reports whether a record may begin with b at offset off.
func (f *finder) plausible(b []byte, off int64) bool {
	k := RecordKind(b[8])
	if k < Put || k > Close || Flags(b[9])&flagReserved != 0 || k.Data() == (le.Uint16(b[10:]) == 0) {
		return false
	}
	if int64(le.Uint32(b[12:])) > f.end-off-recordFixed {
		return false
	}
	return !f.log || int64(le.Uint32(b[16:])-f.due) <= (off-f.from)/MinRecord+1
}
