//go:build !unix

package statefile

// running reports whether a process may be there: nothing tells.
func running(int) bool { return true }
