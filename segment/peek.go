package segment

// PeekSize is how many bytes Peek wants.
const PeekSize = headerFixed

// Peek reads what stands before the sets in the first PeekSize bytes of a
// segment, and does not check it: it cannot, without the rest of the header.
// It is for telling which of many files are known already; whoever goes on to
// use one reads the whole header. The error is a *CorruptError, or wraps
// ErrVersion.
func Peek(b []byte) (*Header, error) {
	if _, err := HeaderSize(b); err != nil {
		return nil, err
	}
	if len(b) < PeekSize {
		return nil, corrupt(int64(len(b)), "header cut off")
	}
	return parseFixed(b), nil
}
