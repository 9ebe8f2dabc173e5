package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
)

// The files that the archiver keeps beside a store, receipts above all, are JSON objects
// of which the last field checks the rest:
//
//	  "puts": 10,
//	  "check": "90ab12ef"
//	}
//
// It is the CRC-32C, in eight hexadecimal digits, of all bytes before the comma in front of
// it. So a file that was cut short, or of which a byte has changed, is recognized as damaged,
// whatever its format: every format has the field. It is no signature: a file that is edited
// by hand is damaged, and is made anew.
const checkForm = ",\n  \"check\": \"%08x\"\n}\n"

// checkSize is how many bytes checkForm makes.
const checkSize = len(checkForm) - len("%08x") + 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrChanged says that a file is not what was written.
var ErrChanged = errors.New("its bytes are not those that were written")

// WithCheck adds the check to a JSON object of one field or more, as json.Marshal or
// json.MarshalIndent made it.
func WithCheck(object []byte) []byte {
	b := bytes.TrimRight(bytes.TrimSuffix(object, []byte("}")), "\n")
	return fmt.Appendf(b, checkForm, crc32.Checksum(b, castagnoli))
}

// Checked returns the JSON object without its check, or ErrChanged.
func Checked(b []byte) ([]byte, error) {
	n := len(b) - checkSize
	if n < 0 || string(b[n:]) != fmt.Sprintf(checkForm, crc32.Checksum(b[:n], castagnoli)) {
		return nil, ErrChanged
	}
	return append(b[:n:n], "\n}"...), nil
}
