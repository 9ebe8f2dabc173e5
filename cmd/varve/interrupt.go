package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptible returns a context that ends, with an *interrupted as its cause,
// at the first signal that asks the process to stop, so that long work can
// end in good order. A second signal ends the process as ever. A closed pipe
// counts as a signal: who reads what was acknowledged is gone.
func interruptible(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	// SIGPIPE comes twice, from the kernel and from package os: it stays caught.
	signals := []os.Signal{syscall.SIGPIPE, syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, signals...)
	go func() {
		select {
		case s := <-c:
			signal.Reset(signals[1:]...)
			cancel(&interrupted{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(c)
		cancel(nil)
	}
}
