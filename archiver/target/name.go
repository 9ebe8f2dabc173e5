package target

import (
	"errors"
	"fmt"
	"strings"
)

// errName is wrapped by the error for a name that no object may have.
var errName = errors.New("not the name of an object")

// CheckName returns an error for a name that Target does not permit. No part of a name begins
// with a dot: so none is "." or "..", a temporary file, or a system's own folder (.snapshot,
// .Trash).
func CheckName(name string) error {
	for part := range strings.SplitSeq(name, "/") {
		if !ValidPart(part) {
			return fmt.Errorf("%q: %w", name, errName)
		}
	}
	return nil
}

// maxPart is below what every file system takes for one name (255 bytes).
const maxPart = 200

// ValidPart reports whether s can stand between the slashes of a name.
func ValidPart(s string) bool {
	if s == "" || s[0] == '.' || len(s) > maxPart {
		return false
	}
	for _, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
