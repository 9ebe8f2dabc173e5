package archive

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// ErrNotUTF8 is wrapped by the error for a caller's text that JSON would change. Nothing was
// written.
var ErrNotUTF8 = errors.New("not UTF-8")

// checkText returns an error if s is not UTF-8: JSON would change it. what names s.
func checkText(what, s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s, %q, is %w", what, s, ErrNotUTF8)
	}
	return nil
}

// CheckMeta returns an error that wraps ErrNotUTF8 if words about a backup are not UTF-8: see
// backup.CreateOptions.Meta.
func CheckMeta(meta map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		if err := checkText("the name of a word about the backup", k); err != nil {
			return err
		}
		if err := checkText(fmt.Sprintf("the word %q about the backup", k), meta[k]); err != nil {
			return err
		}
	}
	return nil
}
