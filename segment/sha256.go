package segment

import (
	"encoding/hex"
	"fmt"
)

// Digest is a SHA-256, in JSON 64 hexadecimal digits.
type Digest [32]byte

// String returns 64 hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText is String, for JSON.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText takes what MarshalText returns, and nothing else.
func (d *Digest) UnmarshalText(b []byte) error {
	digits, err := hex.DecodeString(string(b))
	var v Digest
	copy(v[:], digits)
	if err != nil || v.String() != string(b) {
		return fmt.Errorf("%q is not a SHA-256", b)
	}
	*d = v
	return nil
}
