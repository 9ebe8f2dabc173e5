package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// interruptible returns a context that ends, with an *interrupted as its cause,
// at the first signal that asks the process to stop, so that long work can
// end in good order. A second signal ends the process as ever.
//
// SIGPIPE is not among them: it comes for connections, too, once it is caught, and a
// server that breaks one off must not end who talks to it.
func interruptible(parent context.Context) (ctx context.Context, stop func()) {
	return untilSignal(parent, nil)
}

// interruptibleAtPipe is interruptible for work on this machine alone. A closed pipe
// counts as a signal: who reads what was acknowledged is gone.
func interruptibleAtPipe(parent context.Context) (ctx context.Context, stop func()) {
	// It comes twice, from the kernel and from package os: it stays caught.
	return untilSignal(parent, []os.Signal{syscall.SIGPIPE})
}

// untilSignal ends its context at the first signal. What stays is caught until stop
// is called. A signal that was ignored when the process began, as nohup and shells without
// job control have it, stays ignored. (Go's runtime does not tell so of SIGTERM.)
func untilSignal(parent context.Context, stays []os.Signal) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
	signals = slices.DeleteFunc(signals, signal.Ignored)
	c := make(chan os.Signal, 1)
	signal.Notify(c, append(stays, signals...)...)
	go func() {
		select {
		case s := <-c:
			signal.Reset(signals...)
			cancel(&interrupted{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(c)
		cancel(nil)
	}
}
