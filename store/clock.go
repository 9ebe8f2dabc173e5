package store

import "time"

// clock tells the time to commits. time.Now asks the system twice, for the time of
// day and for the monotonic time, which was 6 % of a buffered put. A clock asks
// for the first but once in clockStep; so it is that late to learn that
// the time of day was set.
type clock struct {
	base time.Time
}

const clockStep = time.Millisecond

// now returns the time, with a monotonic reading. One goroutine at a time may call it.
func (c *clock) now() time.Time {
	if d := time.Since(c.base); d < clockStep {
		return c.base.Add(d)
	}
	c.base = time.Now()
	return c.base
}
