package integrity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// A clean close leaves a witness in the lock file (segment.Witness): that the newest log was
// on the disk up to an offset. The writer writes it, under the lock, after the last sync
// of the close, and so after all that it vouches for. It is read before the folder is
// listed, so that what is found then is never older than it, even beside a process
// that opens and closes the store meanwhile.
//
// It only ever adds proof. W is the log of the witness, N the newest log that is there:
//
//	the witness                                     what follows
//	absent, damaged, of a later version             nothing; a damaged one is a note
//	of another store                                nothing
//	W is on another timeline than N                 nothing: N was begun by a later open
//	W is on N's timeline, with a lesser id          nothing: N was begun by a later roll
//	W is N, and N's whole batches reach its offset  N was durable up to there
//	W is N, and they do not                         N is damaged where they end
//	W comes after N, and N has no End record        N is damaged where it ends
//	W comes after N, and N names its successor      that was begun: absent, empty or without
//	                                                a header it is a lost log
//	there is no segment at all                      they are missing; no store is begun there
//
// "After" is on one timeline, with a greater id: there each log is begun by the end of the one
// before it. A caller that accepts a lost log (ResolveOptions.AcceptLost) waives "W is N, and they do not", "W comes after N, and N
// has no End record", and "W comes after N, and N names its successor". Such a log is never
// continued, so that no number is given twice on one timeline.

// ReadWitness reads the witness of a close. One that does not check, or that may not be
// read, proves nothing: bad says why.
func ReadWitness(fsys vfs.FS) (w *segment.Witness, bad, err error) {
	f, err := fsys.Open(segment.LockName)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, vfs.ErrNotRegular):
		return nil, nil, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, err, nil
	case err != nil:
		return nil, nil, vfs.TooManyFiles(err)
	}
	defer f.Close() // read-only: nothing can be lost
	b := make([]byte, segment.WitnessSize)
	n, err := f.ReadAt(b, segment.WitnessOffset)
	if n < len(b) && !errors.Is(err, io.EOF) {
		return nil, nil, segment.InFile(fsys.Path(segment.LockName), fmt.Errorf("read the witness of the last close: %w", err))
	}
	clear(b[n:]) // what was never written
	w, bad = segment.ParseWitness(b)
	return w, bad, nil
}

// WriteWitness writes what w says into the file of a lock that is held, and syncs it.
// All that w vouches for must be on the disk.
func WriteWitness(lock vfs.Lock, w *segment.Witness) error {
	if _, err := lock.WriteAt(w.Append(nil), segment.WitnessOffset); err != nil {
		return err
	}
	return lock.Sync()
}

// Witnessed says what the witness is, for messages.
func Witnessed(w *segment.Witness) string {
	return fmt.Sprintf("%s tells of a close at %s", segment.LockName, time.Unix(0, w.Time).UTC().Format(time.RFC3339))
}

// unended is the error for a newest log that has no End record, though the log of the
// witness, which comes after it, was begun; v is its verdict.
func unended(w *segment.Witness, h *segment.Header, v *Verdict) error {
	e := &segment.CorruptError{Segment: h.Ref, Offset: v.End, Closed: true,
		Reason: fmt.Sprintf("the log ends here without an end record; %s in the log %v, which came after it", Witnessed(w), w.Ref)}
	if v.NextSeq <= w.LastSeq {
		e.FirstSeq, e.LastSeq = v.NextSeq, w.LastSeq
	}
	return e
}

// JudgeNewest is Judge for the newest log of a store. If the witness names a later log, the newest
// one must have ended.
func JudgeNewest(w *segment.Witness, r *segment.Reader, level Level) (*Verdict, error) {
	v, err := Judge(w, r, level)
	h := r.Header
	if err == nil && v.Successor == (segment.Ref{}) && w.Began(h.UUID, segment.Ref{Timeline: h.Ref.Timeline, ID: h.Ref.ID + 1}) {
		return nil, unended(w, h, v)
	}
	return v, err
}

// JudgeNewestIn reads the newest log of the store in fsys as an open does, with the witness of
// the last close. For a log that was closed in order it checks values as the level says; of
// any other it checks them all. Bytes that do not check and lie in the durable part are a
// *segment.CorruptError, and so is a log that ends below what the witness says; others are a
// torn tail, and the Verdict says so. The log must be the newest with a sound header. If it names a
// next log that was begun, the error wraps ErrLostLog.
func JudgeNewestIn(fsys vfs.FS, r *segment.Reader, level Level) (*Verdict, error) {
	w, _, err := ReadWitness(fsys)
	if err != nil {
		return nil, err
	}
	v, err := JudgeNewest(w, r, level)
	if err == nil && v.Successor != (segment.Ref{}) && w.Began(r.Header.UUID, v.Successor) {
		return nil, fmt.Errorf("%w: %v; %s, after it was begun", ErrLostLog, v.Successor, Witnessed(w))
	}
	return v, err
}
