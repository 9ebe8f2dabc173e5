package vfs

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// share counts what may be had up to a number.
type share struct {
	most func() int64
	n    atomic.Int64
}

// take reports whether there may be one more, and counts it until give.
func (s *share) take() bool {
	if s.n.Add(1) <= s.most() {
		return true
	}
	s.give()
	return false
}

func (s *share) give() { s.n.Add(-1) }

// maps counts the maps of the process's files. Linux allows a process a number of maps
// in all, and a Go program that has none left for its heap ends at once. So the files may
// have half of them.
var maps = share{most: sync.OnceValue(func() int64 {
	b, err := os.ReadFile("/proc/sys/vm/max_map_count")
	return mapShare(string(b), err)
})}

// mapShare returns how many maps the files may have, by what the system says. Where it
// does not say, it has no limit.
func mapShare(text string, err error) int64 {
	n, perr := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || perr != nil || n <= 0 {
		return 1<<63 - 1
	}
	return n / 2
}
