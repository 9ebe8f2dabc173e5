// Package quote writes bytes on a line: as they are where that says what they are, else quoted.
package quote
