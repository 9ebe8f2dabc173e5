package integrity

import (
	"bytes"
	"fmt"

	"github.com/varve-db/varve/segment"
)

// What one segment may have of findings, and a finding of keys: damage can be
// everywhere. What goes beyond is counted in the last one's reason.
const (
	maxFindings = 1000
	maxKeys     = 1000
	maxKeyBytes = 1 << 20
)

// findings collects what is wrong with one segment.
type findings struct {
	ref  segment.Ref
	list []Finding
	more int // beyond maxFindings
	last string
}

// add adds a finding, its segment filled in.
func (l *findings) add(f Finding) {
	f.Segment = l.ref
	if len(l.list) < maxFindings {
		l.list = append(l.list, f)
		return
	}
	o := &l.list[maxFindings-1]
	if l.more == 0 {
		l.last = o.Reason
	}
	l.more++
	o.Reason = fmt.Sprintf("%s; more findings: %d, the last at offset %d", l.last, l.more, f.Offset)
	o.span(f.FirstSeq, f.LastSeq)
}

// span makes a finding reach over sequence numbers.
func (f *Finding) span(first, last uint64) {
	if first == 0 {
		return
	}
	if f.FirstSeq == 0 {
		f.FirstSeq, f.LastSeq = first, last
	}
	f.FirstSeq, f.LastSeq = min(f.FirstSeq, first), max(f.LastSeq, last)
}

// keys gathers the keys of a finding.
type keys struct {
	list  [][]byte
	bytes int
	n     int // all that there are
}

// add takes a copy of a key, if there is room for it.
func (k *keys) add(key []byte) {
	k.n++
	if len(k.list) < maxKeys && k.bytes+len(key) <= maxKeyBytes {
		k.list = append(k.list, bytes.Clone(key))
		k.bytes += len(key)
	}
}

// unnamed says how many keys had no room.
func (k *keys) unnamed() string {
	if n := k.n - len(k.list); n > 0 {
		return fmt.Sprintf("; of the keys, %d more are not named", n)
	}
	return ""
}
