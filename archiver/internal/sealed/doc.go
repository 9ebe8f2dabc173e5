// Package sealed proves that a file is a sealed segment, by every byte of it: as it is read, or as
// it is copied. It repairs nothing. The invariant: only this package decides whether a file may be
// shipped, restored or put back. So there is one check that damage has to pass.
package sealed
