package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/varve-db/varve/cmd/varve/internal/quote"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/internal/jsonpack"
	"github.com/varve-db/varve/store"
)

// A batch is applied before it grows beyond these: large enough that the syncs
// cost little, small enough that little is done twice after a crash. Since a batch
// lies in one segment, it is also at most a batchShare-th of one, so that segments
// are nearly full, and none is larger than was asked for.
const (
	batchObjects = 1000
	batchBytes   = 1 << 20
	batchShare   = 16
)

// intake puts objects into a store, many under one sync, and keeps count of what
// was acknowledged.
type intake struct {
	db      *store.DB
	batch   store.Batch
	most    int64 // bytes of a batch
	pending int64 // bytes of the values in batch

	tell   io.Writer // gets the keys of each batch, in one write, once it is acknowledged; or nil
	asJSON bool
	keys   bytes.Buffer // what will be told of batch

	objects, bytes int64 // acknowledged
	start          time.Time
}

// newIntake returns an intake into a store with segments of a size, which tells the
// keys if verbose.
func (a *app) newIntake(db *store.DB, segment units.SegmentSize, verbose bool) *intake {
	in := &intake{db: db, most: min(batchBytes, int64(segment)/batchShare), asJSON: a.json, start: time.Now()}
	if verbose {
		in.tell = a.out
	}
	return in
}

// verboseHelp documents what intake tells.
const verboseHelp = `With --verbose each key is printed, on a line of its own and unbuffered, as soon as
the store has acknowledged it: with --sync always it is then on the disk. The last line,
which says what was done, then goes to standard error.`

// add takes an object; its slices are copied. An error that wraps ErrTooLarge
// concerns this object alone.
func (in *intake) add(o store.Object) error {
	size := int64(len(o.Key) + len(o.Meta) + len(o.Value))
	if in.batch.Len() >= batchObjects || in.batch.Len() > 0 && in.batch.Size()+size > in.most {
		if err := in.flush(); err != nil {
			return err
		}
	}
	if size > in.most {
		return in.addAlone(o)
	}
	if err := in.batch.PutObject(o); err != nil {
		return err
	}
	in.note(&o)
	return nil
}

// addAlone puts a large object without the copy that a batch makes.
func (in *intake) addAlone(o store.Object) error {
	if err := in.db.PutObject(o); errors.Is(err, store.ErrTooLarge) {
		return err
	} else if err != nil {
		return &applyError{err}
	}
	in.note(&o)
	return in.acknowledged(1)
}

// note remembers of an object what is said once it is acknowledged.
func (in *intake) note(o *store.Object) {
	in.pending += int64(len(o.Value))
	switch {
	case in.tell == nil:
	case in.asJSON:
		l := jsonpack.NewLine(bufio.NewWriter(&in.keys))
		l.Bytes("key", o.Key)
		_ = l.Flush() // memory takes it all
	default:
		fmt.Fprintln(&in.keys, quote.Show(o.Key))
	}
}

// flush has the store acknowledge what was added.
func (in *intake) flush() error {
	n := in.batch.Len()
	if n == 0 {
		return nil
	}
	if err := in.db.Apply(&in.batch); err != nil {
		return &applyError{err}
	}
	in.batch.Reset()
	return in.acknowledged(n)
}

// acknowledged counts n objects, and tells their keys.
func (in *intake) acknowledged(n int) error {
	in.objects += int64(n)
	in.bytes += in.pending
	in.pending = 0
	if in.tell == nil {
		return nil
	}
	_, err := in.tell.Write(in.keys.Bytes())
	in.keys.Reset()
	return err
}

// applyError is an error of the store, after which nothing more can be added.
type applyError struct{ err error }

func (e *applyError) Error() string { return e.err.Error() }
func (e *applyError) Unwrap() error { return e.err }

// finish flushes, and says how far it came if err or a signal stopped the work.
// What was added is kept in any case: the store is sound at every moment.
func (in *intake) finish(err error) error {
	if _, failed := err.(*applyError); !failed {
		err = errors.Join(err, in.flush())
	}
	if errors.Is(err, syscall.EPIPE) {
		err = &interrupted{syscall.SIGPIPE}
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; stored up to there: %s, %s", err, count(in.objects, "object", "objects"), units.Human(in.bytes))
}

// last returns where the line goes that says what was done: where keys are told, not among
// them.
func (in *intake) last(a *app) io.Writer {
	if in.tell != nil {
		return a.errs
	}
	return a.out
}

// summary is what load and import say at their end.
type summary struct {
	Objects int64   `json:"objects"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

func (in *intake) summary() summary {
	return summary{in.objects, in.bytes, time.Since(in.start).Seconds()}
}

// rate writes what was done and how fast.
func (in *intake) rate() string {
	took := time.Since(in.start)
	return fmt.Sprintf("in %s (%s/s)", took.Round(time.Millisecond), units.Human(float64(in.bytes)/took.Seconds()))
}

// weight is about what an object adds to Stats.LiveBytes.
func weight(o *store.Object) int64 {
	const head = 28
	return int64(head + len(o.Key) + len(o.Meta) + len(o.Value))
}
