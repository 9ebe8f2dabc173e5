// Package units reads and writes numbers of bytes as people do: sizes, and rates.
package units
