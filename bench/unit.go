package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// unit says what a figure counts.
type unit int

const (
	rate    unit = iota // per second
	seconds             // of time
	size                // of memory
	ratio               // of two figures
	flow                // bytes per second
	share               // of a whole, as a part of 1
	plain               // a number of something
)

// format prints a figure with three digits or so.
func (u unit) format(v float64) string {
	switch u {
	case rate:
		switch {
		case v >= 1e6:
			return digits(v/1e6) + " M/s"
		case v >= 1e3:
			return digits(v/1e3) + " k/s"
		}
		return digits(v) + " /s"
	case seconds:
		switch {
		case v >= 0.1:
			return digits(v) + " s"
		case v >= 1e-4:
			return digits(v*1e3) + " ms"
		}
		return digits(v*1e6) + " µs"
	case size:
		if v >= 1e6 {
			return digits(v/1e6) + " MB"
		}
		return digits(v) + " B"
	}
	switch u {
	case flow:
		return digits(v/1e6) + " MB/s"
	case share:
		return digits(v*100) + " %"
	case plain:
		return digits(v)
	}
	return digits(v) + "×"
}

// lessIsBetter says which way is up.
func (u unit) lessIsBetter() bool { return u == seconds || u == size }

// digits prints a number with three digits, or all before the point.
func digits(v float64) string {
	switch {
	case v >= 100 || v <= -100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10 || v <= -10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// String prints figures in the order of their names, for the progress of a run.
func (f figures) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(f)) {
		fmt.Fprintf(&b, "%s %.4g  ", name, f[name])
	}
	return b.String()
}
