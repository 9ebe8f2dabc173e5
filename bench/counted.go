package main

import "io"

// counted is the body of an answer whose bytes are counted.
type counted struct {
	io.ReadCloser
	c *traffic
}

func (b *counted) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.c.received.Add(int64(n))
	return n, err
}
