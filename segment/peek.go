package segment

// PeekSize is how many bytes Peek wants.
const PeekSize = headerFixed

// Peek reads what stands before the sets in the first PeekSize bytes of a
// segment, and does not check it: it cannot, without the rest of the header.
// It is for telling which of many files are known already; before one is used, its
// whole header is read. The error is a *CorruptError, or wraps
// ErrVersion: then too, only the whole header tells whether it is damaged.
func Peek(b []byte) (*Head, error) {
	if _, err := HeaderSize(b); err != nil {
		return nil, err
	}
	if len(b) < PeekSize {
		return nil, corrupt(int64(len(b)), "header cut off")
	}
	if err := checkVersion(le.Uint16(b[8:]), 8, false); err != nil {
		return nil, err
	}
	h := parseFixed(b)
	return &h, nil
}
