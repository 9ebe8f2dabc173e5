package units

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/varve-db/varve/store"
)

// SegmentSize is the size of a segment as a flag: 8388608, 8M, 8MiB or 8MB.
type SegmentSize int64

type unit struct {
	name  string
	bytes int64
}

// units from the largest; the binary ones are those that are printed.
func units() []unit {
	return []unit{
		{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
	}
}

// Set parses a size.
func (s *SegmentSize) Set(v string) error {
	n, err := Parse(v)
	if err != nil {
		return err
	}
	if n < store.MinSegmentSize || n > store.MaxSegmentSize {
		return fmt.Errorf("want %d to %d bytes", store.MinSegmentSize, store.MaxSegmentSize)
	}
	*s = SegmentSize(n)
	return nil
}

// Parse reads a number of bytes, whole or with a fraction, with a unit or without. K, M
// and G alone are the binary ones; small letters are as good.
func Parse(v string) (int64, error) {
	digits, factor := cutUnit(v)
	whole, fraction, dot := strings.Cut(digits, ".")
	n, err := strconv.ParseUint(whole, 10, 63)
	part, ok := 0.0, true
	if dot {
		_, bad := strconv.ParseUint(fraction, 10, 63)
		part, _ = strconv.ParseFloat("0."+fraction, 64)
		ok = bad == nil && factor > 1
	}
	if err != nil || !ok || int64(n) > 1<<62/factor-1 {
		return 0, fmt.Errorf("want a number of bytes such as 8388608, 8M, 1.5GiB or 8MB")
	}
	return int64(n)*factor + int64(part*float64(factor)), nil
}

// cutUnit takes the unit off a size.
func cutUnit(v string) (digits string, factor int64) {
	v = strings.ToUpper(v)
	for _, u := range units() {
		long := strings.ToUpper(u.name)
		for _, name := range []string{long, strings.TrimSuffix(long, "IB")} {
			if d, ok := strings.CutSuffix(v, name); ok {
				return strings.TrimSpace(d), u.bytes
			}
		}
	}
	return v, 1
}

// String writes the size in the largest unit that divides it.
func (s *SegmentSize) String() string {
	for _, u := range units()[:3] {
		if *s != 0 && int64(*s)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(*s)/u.bytes, u.name)
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type names the flag's value in the help.
func (s *SegmentSize) Type() string { return "size" }

// Human writes a number of bytes for people.
func Human[T int | int64 | float64](n T) string {
	for _, u := range units()[:3] {
		if float64(n) >= float64(u.bytes) {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.bytes), u.name)
		}
	}
	return fmt.Sprintf("%.0f B", float64(n))
}

// Rate is a number of bytes a second as a flag; 0 is no bound.
type Rate int64

// Set parses a rate, with "/s" or without.
func (r *Rate) Set(v string) error {
	n, err := Parse(strings.TrimSuffix(v, "/s"))
	*r = Rate(n)
	return err
}

// String writes the number.
func (r *Rate) String() string { return strconv.FormatInt(int64(*r), 10) }

// Type names the flag's value in the help.
func (r *Rate) Type() string { return "bytes" }
