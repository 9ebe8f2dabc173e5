package index

// base is what most of a sorted run of separators begin with: the bytes that
// their prefixes leave out.
type base string

// prefix returns eight bytes of a key that order it among the separators:
// those after the base, or the lowest or highest number for a key below or
// above all keys that begin with the base. This is monotone in the key for any
// base, so the choice of it bears on speed alone.
func (b base) prefix(key []byte) uint64 {
	n := len(b)
	if len(key) >= n && string(key[:n]) == string(b) {
		return prefixAt(key, n)
	}
	if string(key) < string(b) {
		return 0
	}
	return ^uint64(0)
}

// commonOf returns what those at one and seven eighths of n separators share:
// a few outliers must not spoil the prefixes for the others.
func commonOf(n int, sep func(int) string) base {
	if n == 0 {
		return ""
	}
	lo, hi := sep(n/8), sep(n*7/8)
	return base(lo[:commonLen([]byte(lo), []byte(hi))])
}
