package integrity

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/varve-db/varve/segment"
)

// Verdict is what JudgeNewest found out about a log.
type Verdict struct {
	Records int64 // put and delete records of whole batches
	Bytes   int64 // read, the walk over the records counted once for each depth

	End      int64  // offset after the last whole batch; what follows is cut off by recovery
	NextSeq  uint64 // the sequence number after the last one below End
	LastTime int64  // the newest commit time below End; zero: none
	Durable  int64  // the log, or the witness of a close, vouches for all bytes up to here

	// Successor is the log that an End record names; zero if there is none.
	Successor segment.Ref

	// Closed reports that the log ends with the records of a close in order;
	// Inode and Birth are what they say of the file.
	Closed bool
	Inode  uint64
	Birth  int64

	// Torn is the reason for the cut if bytes after End do not belong to a
	// whole batch; empty otherwise.
	Torn string

	FirstTime int64 // the first commit time; zero: none
	Batches   int64 // whole ones of puts and deletes

	// Edits are the changes of the live set below End, in order.
	Edits []segment.EditSet
}

// tailBytes is how much of the end of the newest log has its values checked at
// level Tail: more than any disk or file system writes out of order in one go.
const tailBytes = 1 << 20

// Judge reads the newest log of a store, with the witness of the store's last close, or
// nil. For a log that was closed in order it checks values as the level says; of any other
// it checks them all.
//
// Bytes that do not check and lie in the durable part are a
// *segment.CorruptError, with what can be said of the keys and sequence
// numbers at stake; others are a torn tail, and the Verdict says so. Any other
// error is one of reading, and nothing was decided.
func Judge(w *segment.Witness, r *segment.Reader, level Level) (*Verdict, error) {
	j := newJudge(w, r)
	closed, err := endsClosed(r)
	if err != nil {
		return nil, err
	}
	span := segment.Span{Depth: segment.CheckValues}
	if closed && level != Log && level != Full {
		span.Depth = segment.Heads
	}
	if err := j.walk(span); err != nil {
		return nil, err
	}
	if span.Depth == segment.Heads && j.bad != nil {
		// It does not end where it was closed, so all values are checked.
		closed, j = false, newJudge(w, r)
		if err := j.walk(segment.Span{Depth: segment.CheckValues}); err != nil {
			return nil, err
		}
	}
	if closed && level == Tail && j.bad == nil && j.tail.Next != 0 {
		// The values at the end, after the heads of all.
		last := j.v
		if err := j.walk(j.tail); err != nil {
			return nil, err
		}
		bytes := j.v.Bytes
		if j.bad == nil {
			j.v = last
		}
		j.v.Bytes = bytes
	}
	return j.decide()
}

// endsClosed reports whether the file ends with a sound close record.
func endsClosed(r *segment.Reader) (bool, error) {
	off := r.Size - segment.CloseSize
	if off < r.HeaderSize {
		return false, nil
	}
	rec, err := r.RecordAt(off, r.Size)
	if c := (*segment.CorruptError)(nil); errors.As(err, &c) {
		return false, nil
	}
	return err == nil && rec.Kind == segment.Close, err
}

type judge struct {
	w    *segment.Witness // or nil
	r    *segment.Reader
	v    Verdict
	bad  *segment.CorruptError // the first bytes that do not check
	next uint64                // sequence number that was due there
	tail segment.Span          // where level Tail begins to check values
}

func newJudge(w *segment.Witness, r *segment.Reader) *judge {
	return &judge{w: w, r: r, v: Verdict{End: r.HeaderSize, NextSeq: r.Header.FirstSeq}}
}

// walk goes over the records of a span and notes what they say, up to the
// first bytes that do not check.
func (j *judge) walk(s segment.Span) error {
	j.next = j.v.NextSeq
	if s.Next != 0 {
		j.next = s.Next
	}
	var edits []segment.EditSet
	var data int64
	for rec, err := range j.r.Records(s) {
		if errors.As(err, &j.bad) {
			j.bad.Segment = j.r.Header.Ref
			break
		}
		if err != nil {
			return err
		}
		if rec.Kind.Data() {
			j.next++
			data++
		}
		if rec.Kind == segment.Edit {
			e, err := rec.ParseEdit()
			if errors.As(err, &j.bad) {
				break
			}
			edits = append(edits, e)
		}
		if rec.Vouches() {
			j.v.Durable = max(j.v.Durable, rec.Vouch)
		}
		if j.tail.Next == 0 && rec.Offset >= j.r.Size-tailBytes {
			j.tail = segment.Span{From: rec.Offset, Next: rec.Seq, Depth: segment.CheckValues}
		}
		if rec.Commit() {
			j.commit(rec, data, edits)
			data, edits = 0, nil
		}
	}
	from := s.From
	if from == 0 {
		from = j.r.HeaderSize
	}
	j.v.Bytes += j.v.End - from
	return nil
}

// commit notes a whole batch, which rec ends.
func (j *judge) commit(rec *segment.Record, data int64, edits []segment.EditSet) {
	v := &j.v
	v.FirstTime = cmp.Or(v.FirstTime, rec.Time)
	if data > 0 {
		v.Batches++
	}
	v.End, v.NextSeq, v.LastTime = rec.Offset+rec.Size, j.next, rec.Time
	v.Records += data
	v.Edits = append(v.Edits, edits...)
	v.Closed = rec.Kind == segment.Close
	switch rec.Kind {
	case segment.Close:
		v.Inode, v.Birth = rec.Closed()
	case segment.End:
		v.Successor = rec.Successor()
	}
}

// decide decides between a torn tail and damage.
func (j *judge) decide() (*Verdict, error) {
	v, r := &j.v, j.r
	if v.Successor != (segment.Ref{}) {
		return v, nil // what follows an End is a footer, or nothing
	}
	closed := j.w.Vouched(&r.Header.Head)
	at, reason, seen := r.Size, "", uint64(0)
	switch {
	case j.bad != nil:
		at, reason = j.bad.Offset, j.bad.Reason
		var err error
		if seen, err = j.witnesses(at); err != nil {
			return nil, err
		}
	case v.End < r.Size:
		reason = "the last batch is not whole"
	case v.End < closed:
		reason = "the log ends here"
	default:
		v.Durable = max(v.Durable, closed)
		return v, nil
	}
	if at < v.Durable {
		return nil, j.corrupt(at, reason, seen)
	}
	if v.End < closed {
		return nil, j.short(at, reason, closed)
	}
	v.Closed = false
	v.Torn = reason
	v.Durable = max(v.Durable, closed)
	return v, nil
}

// witnesses looks on, after bad bytes at off, for records that are sound in all
// parts, takes note of how far they vouch, and returns the sequence number of
// the first one.
func (j *judge) witnesses(off int64) (first uint64, err error) {
	from, next := off+1, j.next
	for {
		at, seq, found, err := j.r.Find(from, j.r.Size, next)
		if err != nil || !found {
			return first, err
		}
		if first == 0 {
			first = seq
		}
		from, next = at, seq
		for rec, err := range j.r.Records(segment.Span{From: at, Next: seq, Depth: segment.CheckValues}) {
			if err != nil {
				if c := (*segment.CorruptError)(nil); !errors.As(err, &c) {
					return first, err
				}
				break
			}
			if rec.Vouches() {
				j.v.Durable = max(j.v.Durable, rec.Vouch)
			}
			from, next = rec.Offset+rec.Size-1, rec.Seq
		}
		from++
	}
}

// corrupt makes the error for damage at an offset of the durable part; seen is
// the sequence number of the first sound record after it, or zero.
func (j *judge) corrupt(at int64, reason string, seen uint64) error {
	e := &segment.CorruptError{Segment: j.r.Header.Ref, Offset: at, Reason: reason, FirstSeq: j.next, LastSeq: j.next}
	if j.bad != nil {
		e.Keys = j.bad.Keys
	}
	if seen > j.next {
		e.LastSeq = seen - 1
	}
	e.Reason += fmt.Sprintf("; the log was on the disk up to offset %d, so this is damage and not the end of a torn write", j.v.Durable)
	return e
}

// short makes the error for a log that ends at an offset, where the witness of a close says that
// it was on the disk up to the offset closed.
func (j *judge) short(at int64, reason string, closed int64) error {
	e := &segment.CorruptError{Segment: j.r.Header.Ref, Offset: at, Closed: true}
	e.Reason = fmt.Sprintf("%s; %s, with this log on the disk up to offset %d, so this is damage and not the end of a torn write", reason, Witnessed(j.w), closed)
	if j.v.NextSeq <= j.w.LastSeq { // a batch that is not whole goes with what is missing of it
		e.FirstSeq, e.LastSeq = j.v.NextSeq, j.w.LastSeq
	}
	if j.bad != nil {
		e.Keys = j.bad.Keys
	}
	return e
}

// JudgeHeaderless decides what a log without a sound header is, which a roll
// began: r is a segment.ReaderFor of what the end record before it says. If
// any record in it vouches for the header, the header was durable, and the
// error is a *segment.CorruptError; nil means that its first write was torn and
// nothing in it was acknowledged.
func JudgeHeaderless(r *segment.Reader) error {
	j := judge{r: r, next: r.Header.FirstSeq}
	j.v.NextSeq = r.Header.FirstSeq
	seen, err := j.witnesses(-1)
	if err != nil || j.v.Durable == 0 {
		return err
	}
	return j.corrupt(0, "header", seen)
}
