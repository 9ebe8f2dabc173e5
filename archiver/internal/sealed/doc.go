// Package sealed proves that a file is a sealed segment, by every byte of it: as it is read, or
// as it is copied. It repairs nothing. The invariant: nothing else decides what may be shipped,
// restored or put back, so damage passes nowhere.
package sealed
