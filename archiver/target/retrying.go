package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

const (
	silence      = 30 * time.Second // a request that gets no byte for so long is given up
	patience     = time.Minute      // from which on a request is not made again
	retryingHead = 64 << 10         // bytes that Open waits for, so that small objects come whole or not at all
)

// Retry wraps t for callers that read an archive. Transient errors of reads are retried a few
// times. A request without an answer is given up after half a minute. Put is never retried:
// after an error only its caller can find out what is there. A long read that breaks off in the
// middle is not retried either. A Local target is returned as it is: its errors are not
// transient, and its calls do not end early.
func Retry(t Target) Target {
	if IsLocal(t) {
		return t
	}
	return &retrying{t}
}

type retrying struct {
	Target
}

func (p *retrying) Put(ctx context.Context, name string, r io.ReaderAt, size int64, sum [32]byte) error {
	ctx, cancel := WithTimeout(ctx, Allowance(size))
	defer cancel()
	return because(ctx, p.Target.Put(ctx, name, r, size, sum))
}

func (p *retrying) Stat(ctx context.Context, name string) (info Info, err error) {
	err = p.ask(ctx, func(ctx context.Context, _ *watch) error {
		info, err = p.Target.Stat(ctx, name)
		return err
	})
	return info, err
}

// Sum has no limit on silence: the target may have to read the object.
func (p *retrying) Sum(ctx context.Context, name string) (info Info, err error) {
	err = p.ask(ctx, func(ctx context.Context, w *watch) error {
		w.pause()
		info, err = p.Target.Sum(ctx, name)
		return err
	})
	return info, err
}

func (p *retrying) Delete(ctx context.Context, name string) error {
	return p.ask(ctx, func(ctx context.Context, _ *watch) error { return p.Target.Delete(ctx, name) })
}

func (p *retrying) Open(ctx context.Context, name string, off, n int64) (r io.ReadCloser, err error) {
	err = p.ask(ctx, func(ctx context.Context, w *watch) error {
		r, err = p.open(ctx, w, name, off, n)
		return err
	})
	return r, err
}

// open makes one attempt, which has succeeded when the first bytes are there.
func (p *retrying) open(ctx context.Context, w *watch, name string, off, n int64) (io.ReadCloser, error) {
	body, err := p.Target.Open(ctx, name, off, n)
	if err != nil {
		return nil, err
	}
	head := int64(retryingHead)
	if n >= 0 {
		head = min(n, head)
	}
	b, err := io.ReadAll(io.LimitReader(watched{body, w}, head))
	if err != nil {
		return nil, errors.Join(err, body.Close())
	}
	if int64(len(b)) < head || head == n {
		return io.NopCloser(bytes.NewReader(b)), body.Close()
	}
	w.keep = true
	return &retryingBody{io.MultiReader(bytes.NewReader(b), watched{body, w}), body, w}, nil
}

// List goes on behind the last name that came.
func (p *retrying) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		stopped := false
		for {
			came := false
			err := p.ask(ctx, func(ctx context.Context, w *watch) error {
				for info, err := range p.Target.List(ctx, prefix, after) {
					if err != nil {
						if came { // a new start, with all its tries
							return nil
						}
						return err
					}
					w.pause()
					came, after = true, info.Name
					if stopped = !yield(info, nil); stopped {
						return nil
					}
					w.begin()
				}
				came = false // that was the end
				return nil
			})
			if err != nil && !stopped {
				yield(Info{}, err)
			}
			if err != nil || stopped || !came {
				return
			}
		}
	}
}

// ask makes a request, and repeats it where that may help.
func (p *retrying) ask(ctx context.Context, request func(context.Context, *watch) error) error {
	return repeat(ctx, patience, func() error {
		attempt, w := watchOver(ctx)
		err := request(attempt, w)
		if err == nil && w.keep {
			w.pause()
			return nil
		}
		defer w.end()
		return because(attempt, err)
	})
}

// watch ends a request that gets no byte for too long. It is for one goroutine.
type watch struct {
	ctx    context.Context // of the request
	timer  *time.Timer
	cancel context.CancelCauseFunc
	keep   bool // the request has been answered, and its body is still to be read
}

func watchOver(ctx context.Context) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &watch{ctx: ctx, cancel: cancel, timer: time.AfterFunc(silence, func() {
		cancel(fmt.Errorf("%w: no answer for %v; see whether it can be reached", errTimeout, silence))
	})}
}

func (w *watch) begin() { w.timer.Reset(silence) }
func (w *watch) pause() { w.timer.Stop() }
func (w *watch) end()   { w.timer.Stop(); w.cancel(nil) }

// watched is a reader whose every read is watched.
type watched struct {
	r io.Reader
	w *watch
}

func (r watched) Read(b []byte) (int, error) {
	r.w.begin()
	defer r.w.pause()
	n, err := r.r.Read(b)
	if err != nil && err != io.EOF {
		err = because(r.w.ctx, err)
	}
	return n, err
}

// retryingBody is what is read of a long answer.
type retryingBody struct {
	io.Reader
	body io.Closer
	w    *watch
}

func (b *retryingBody) Close() error {
	defer b.w.end()
	return b.body.Close()
}
