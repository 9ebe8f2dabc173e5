package segment

// SetEnd makes r the last record of a rolled log, which names its successor.
func (r *Record) SetEnd(next Ref) {
	r.Kind, r.Flags, r.Value = End, FlagCommit|FlagVouch, appendRef(nil, next)
}

// Successor is the log that an End record, whose Value is there, names.
func (r *Record) Successor() Ref { return parseRef(r.Value) }

// SetClose makes r the last record of a log that is closed in order. It holds
// what tells this very file from a copy: its inode number and birth time, ns
// since 1970 UTC.
func (r *Record) SetClose(inode uint64, birth int64) {
	r.Kind, r.Flags = Close, FlagCommit|FlagVouch
	r.Value = le.AppendUint64(le.AppendUint64(nil, inode), uint64(birth))
}

// Closed returns what SetClose was given.
func (r *Record) Closed() (inode uint64, birth int64) {
	return le.Uint64(r.Value), int64(le.Uint64(r.Value[8:]))
}

// EditSet is a change of the live set: one atomic step.
type EditSet struct {
	Retire []Ref // leave the set, in order of Ref.Compare
	Adopt  []Ref // join it, likewise
}

// SetEdit makes r an edit. The batch that it ends is its own. It panics if the
// sets are out of order, which is a bug of the caller.
func (r *Record) SetEdit(e EditSet) {
	if !isSet(e.Retire) || !isSet(e.Adopt) {
		panic("segment: edit with an unsorted set")
	}
	b := le.AppendUint32(nil, uint32(len(e.Retire)))
	b = le.AppendUint32(b, uint32(len(e.Adopt)))
	for _, s := range [][]Ref{e.Retire, e.Adopt} {
		for _, ref := range s {
			b = appendRef(b, ref)
		}
	}
	r.Kind, r.Flags, r.Value = Edit, r.Flags&FlagVouch|FlagCommit, b
}

// ParseEdit returns what SetEdit was given. The error is a *CorruptError.
func (r *Record) ParseEdit() (EditSet, error) {
	b := r.Value
	if len(b) < editFixed {
		return EditSet{}, corrupt(r.Offset, "edit of %d bytes", len(b))
	}
	retire, adopt := uint64(le.Uint32(b)), uint64(le.Uint32(b[4:]))
	b = b[editFixed:]
	if (retire+adopt)*refSize != uint64(len(b)) {
		return EditSet{}, corrupt(r.Offset, "edit of %d and %d segments in %d bytes", retire, adopt, len(b))
	}
	var e EditSet
	for i := range retire + adopt {
		ref := parseRef(b[i*refSize:])
		if i < retire {
			e.Retire = append(e.Retire, ref)
		} else {
			e.Adopt = append(e.Adopt, ref)
		}
	}
	if !isSet(e.Retire) || !isSet(e.Adopt) {
		return EditSet{}, corrupt(r.Offset, "edit with an unsorted set")
	}
	return e, nil
}

// A Slot is one value under which an object is also found: the number of the
// slot and opaque bytes. Slots are written one after the other: number (1
// byte), length (2 bytes), bytes; in order of number, then of bytes.
type Slot struct {
	Number uint8
	Value  []byte
}

// AppendSlots appends the written form of slots, which must be in order.
func AppendSlots(dst []byte, slots []Slot) []byte {
	for _, s := range slots {
		dst = append(dst, s.Number)
		dst = le.AppendUint16(dst, uint16(len(s.Value)))
		dst = append(dst, s.Value...)
	}
	return dst
}

// ParseSlots returns the slots that b holds; their values lie in b. It reports
// false if b is not what AppendSlots writes.
func ParseSlots(b []byte) ([]Slot, bool) {
	if !validSlots(b) {
		return nil, false
	}
	var out []Slot
	for len(b) > 0 {
		n := slotFixed + int(le.Uint16(b[1:]))
		out, b = append(out, Slot{b[0], b[slotFixed:n:n]}), b[n:]
	}
	return out, true
}

// validSlots is ParseSlots without its result.
func validSlots(b []byte) bool {
	var last Slot
	for first := true; len(b) > 0; first = false {
		if len(b) < slotFixed {
			return false
		}
		n := slotFixed + int(le.Uint16(b[1:]))
		if n > len(b) {
			return false
		}
		s := Slot{b[0], b[slotFixed:n]}
		if !first && !slotLess(last, s) {
			return false
		}
		last, b = s, b[n:]
	}
	return true
}

func slotLess(a, b Slot) bool {
	return a.Number < b.Number || a.Number == b.Number && string(a.Value) < string(b.Value)
}
