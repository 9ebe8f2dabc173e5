package statefile

import (
	"crypto/rand"
	"encoding/hex"
)

// idDigits is how many hexadecimal digits an ID of a target has.
const idDigits = 32

// NewID returns a random ID.
func NewID() string {
	var b [idDigits / 2]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// ValidID reports whether s has the form of an ID, which is also fit to be the name of a
// folder.
func ValidID(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(s) == idDigits && hex.EncodeToString(b) == s
}
