package main

import (
	"os"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// canMount reports whether this process may mount a file system.
var canMount = sync.OnceValue(func() bool {
	dir, err := os.MkdirTemp("", "varve-mount-")
	if err != nil {
		return false
	}
	defer os.Remove(dir)
	return unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k") == nil && unix.Unmount(dir, 0) == nil
})

// tmpfsCmd is "tmpfs DIR SIZE": it mounts a file system of that size on DIR.
func tmpfsCmd(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+args[1]))
	ts.Defer(func() { ts.Check(unix.Unmount(dir, unix.MNT_DETACH)) })
}
