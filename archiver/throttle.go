package archiver

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/archiver/target"
)

// Shipping takes less than one processor, so that the writer has the others: to a folder
// one segment is copied at a time, in one goroutine, which then rests, and of all who
// ship one hashes at a time. What waits for the disk or the network goes on meanwhile.

// restPart is the part of the time to hash a segment that passes before the next is copied.
// Hashing is more than half of the work, so the rest is a sixth of it. The syncs, the receipts
// and the garbage collector, which run beside the copying, get that time. Only hashing is
// counted, since nothing in it waits for a disk.
const restPart = 3

// turn waits until no other segment is copied to the target. done ends the turn, after a rest
// for the time that was hashed; done does not wait for that rest. done may be called again,
// without effect. Only folders have turns: for other targets the network is the limit.
func (l *shipper) turn(ctx context.Context) (done func(hashed time.Duration), err error) {
	if _, ok := l.target.(target.CheckedPutter); !ok {
		return func(time.Duration) {}, nil
	}
	select {
	case l.copying <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	var once sync.Once
	return func(hashed time.Duration) {
		once.Do(func() { time.AfterFunc(hashed/restPart, func() { <-l.copying }) })
	}, nil
}

// digests returns the digests of a segment that is copied.
func (l *shipper) digests(size int64) *sealed.Digests {
	d := sealed.NewDigests(size)
	d.One = &l.a.hashing
	return d
}

// oneHash reads for a caller who hashes what it has read before it reads on: mu is held
// from the end of each read to the begin of the next, and until end. It is for one
// goroutine.
type oneHash struct {
	src  io.ReaderAt
	mu   *sync.Mutex
	held bool
}

// ReadAt implements io.ReaderAt.
func (o *oneHash) ReadAt(b []byte, off int64) (int, error) {
	o.end()
	n, err := o.src.ReadAt(b, off)
	o.mu.Lock()
	o.held = true
	return n, err
}

// end lets others hash.
func (o *oneHash) end() {
	if o.held {
		o.held = false
		o.mu.Unlock()
	}
}
