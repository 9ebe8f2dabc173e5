// Package sealed proves that bytes are a sealed segment, every one of them: read from somewhere, or
// hashed as they go by. It decides in one place what may be shipped, restored or put back.
package sealed
