package target

import (
	"errors"
	"fmt"
	"strings"
)

// errName is wrapped by the error for a name that no object may have.
var errName = errors.New("not the name of an object")

// CheckName holds a name to what Target says of names. A part of it begins with no
// dot, so that none is "." or "..", a temporary file, or what systems keep in
// folders of their own (.snapshot, .Trash).
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
