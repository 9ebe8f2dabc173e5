package segment

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// UnmarshalText takes what MarshalText returns, and nothing else.
func (u *UUID) UnmarshalText(b []byte) error {
	digits, err := hex.DecodeString(strings.ReplaceAll(string(b), "-", ""))
	var v UUID
	copy(v[:], digits)
	if err != nil || v.String() != string(b) {
		return fmt.Errorf("%q is not the UUID of a store", b)
	}
	*u = v
	return nil
}

// UnmarshalText takes what MarshalText returns, and nothing else.
func (t *Timeline) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 16, 64)
	if err != nil || Timeline(n).String() != string(b) {
		return fmt.Errorf("%q is not a timeline", b)
	}
	*t = Timeline(n)
	return nil
}

// UnmarshalText takes what MarshalText returns, and nothing else.
func (r *Ref) UnmarshalText(b []byte) error {
	timeline, id, _ := strings.Cut(string(b), "/")
	var v Ref
	n, err := strconv.ParseUint(id, 10, 64)
	if v.ID = ID(n); err != nil || v.Timeline.UnmarshalText([]byte(timeline)) != nil || v.String() != string(b) {
		return fmt.Errorf("%q is not a segment, as timeline/id", b)
	}
	*r = v
	return nil
}
