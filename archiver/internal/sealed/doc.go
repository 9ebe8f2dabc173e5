// Package sealed proves that bytes are a sealed segment, every one of them: as they are read
// from somewhere, or as they are copied. It is the one place that decides what may be shipped,
// restored or put back.
package sealed
