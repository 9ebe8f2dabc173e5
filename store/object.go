package store

import (
	"fmt"

	"github.com/varve-db/varve/segment"
)

// Content says what a value is: Raw or Msgpack.
type Content = segment.Content

// A Raw value is any bytes; a Msgpack value is one msgpack object, and the
// command line prints it as JSON. The store itself treats them alike.
const (
	Raw     = segment.Raw
	Msgpack = segment.Msgpack
)

// Object is a value with its key and what is known of it.
type Object = segment.Object

// Batch is a list of changes that Apply makes as one: all or none of them
// survive, and no reader sees a part. The zero value is an empty batch. A
// Batch is not safe for concurrent use.
type Batch struct {
	recs []segment.Record
	size int64
	buf  []byte // keys, metas and values stand here, one after the other
}

// Put adds an object. Key and value are copied.
func (b *Batch) Put(key, value []byte) error {
	return b.PutObject(Object{Key: key, Value: value})
}

// PutObject adds an object with meta and content kind. Its slices are copied.
// The error wraps ErrTooLarge or says what else the format cannot hold; the
// batch is then as before.
func (b *Batch) PutObject(o Object) error {
	r, err := o.Record()
	if err != nil {
		return err
	}
	return b.add(r)
}

// Delete adds a deletion. The key is copied.
func (b *Batch) Delete(key []byte) error {
	return b.add(segment.Record{Kind: segment.Delete, Key: key})
}

func (b *Batch) add(r segment.Record) error {
	if err := r.Check(); err != nil {
		return err
	}
	size := int64(segment.MaxRecordOverhead + len(r.Key) + len(r.Meta) + len(r.Value))
	if b.size+size > segment.MaxBatch {
		return fmt.Errorf("batch of more than %d bytes: %w", segment.MaxBatch, ErrTooLarge)
	}
	b.size += size
	r.Key, r.Meta, r.Value = b.keep(r.Key), b.keep(r.Meta), b.keep(r.Value)
	b.recs = append(b.recs, r)
	return nil
}

// keep copies p to the batch's buffer. Slices given out before stay where they
// are when the buffer is replaced by a larger one.
func (b *Batch) keep(p []byte) []byte {
	if len(p) == 0 {
		return nil
	}
	if len(b.buf)+len(p) > cap(b.buf) {
		b.buf = make([]byte, 0, max(len(p), 2*cap(b.buf), 4096))
	}
	n := len(b.buf)
	b.buf = append(b.buf, p...)
	return b.buf[n : n+len(p) : n+len(p)]
}

// Len returns the number of changes.
func (b *Batch) Len() int { return len(b.recs) }

// Size returns about how many bytes of log the batch takes.
func (b *Batch) Size() int64 { return b.size }

// Reset empties the batch for use again. Apply does not.
func (b *Batch) Reset() { b.recs, b.buf, b.size = b.recs[:0], b.buf[:0], 0 }
