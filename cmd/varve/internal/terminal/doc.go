// Package terminal tells whether and how wide a file is a terminal, and shows there how far work
// has come.
package terminal
