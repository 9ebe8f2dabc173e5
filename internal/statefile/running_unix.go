//go:build unix

package statefile

import (
	"errors"
	"syscall"
)

// running reports whether a process may be there.
func running(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
