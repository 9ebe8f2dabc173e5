package archiver

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Watch sends on the channel when segments were sealed in the folder at path, until ctx ends.
// One message may stand for several segments, or for nothing new, so the receiver looks for
// itself. Where the system has no notification, the error wraps errors.ErrUnsupported. Run polls
// in any case.
func Watch(ctx context.Context, path string) (<-chan struct{}, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), "inotify") // not blocking, so that Close ends a Read
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MOVED_TO|unix.IN_ONLYDIR); err != nil {
		f.Close()
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	c := make(chan struct{}, 1)
	context.AfterFunc(ctx, func() { f.Close() })
	go func() {
		b := make([]byte, 16<<10)
		for {
			if _, err := f.Read(b); err != nil {
				return
			}
			select {
			case c <- struct{}{}:
			default: // it has not looked yet since the last time
			}
		}
	}()
	return c, nil
}
