package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// loseEnd closes the store in order, and takes the end of its newest log from a copy of the disk:
// cut off, or zeros. No open of that is silent, at any level: what the witness of the close
// vouches for is damage or a lost log, named; of what lies behind it, nothing is lost.
func (m *model) loseEnd() error {
	if err := m.db.Close(); err != nil {
		return err
	}
	s, err := integrity.Survey(m.fs)
	if err != nil {
		return err
	}
	e, w := s.NewestLog(), s.Witness
	if w == nil || w.Ref.Timeline != e.Header.Ref.Timeline {
		return fmt.Errorf("the witness of the close is %+v; the newest log is %v", w, e.Header.Ref)
	}
	was := m.fs.Bytes(e.Name)
	at := max(0, len(was)-[]int{1, 60, 465, 512, 4096, len(was), 1 + m.rng.IntN(len(was))}[m.rng.IntN(7)])
	b := slices.Clone(was[:at])
	how := "cut to"
	if m.rng.IntN(2) == 0 {
		how, b = "zeros from", append(b, make([]byte, len(was)-at)...)
	}
	first, err := firstLost(e, was, at)
	if err != nil {
		return err
	}
	level := []integrity.Level{integrity.None, integrity.Tail, integrity.Log, integrity.Full}[m.rng.IntN(4)]
	what := fmt.Sprintf("%s %s %d of %d, level %v, the witness says %d", e.Name, how, at, len(was), level, w.Offset)
	p := m.fs.Clone()
	p.SetBytes(e.Name, b)
	opt := m.opt
	opt.Integrity = level
	db, err := openFS(p, resolve(m.t, opt))
	if err == nil {
		got, rerr := readAll(db)
		db.Close()
		if rerr = errors.Join(rerr, diff(m.now, got)); rerr != nil || int64(at) < w.Offset && w.Ref == e.Header.Ref {
			return fmt.Errorf("%s: it opens in silence: %v", what, rerr)
		}
		return m.open(m.fs, true)
	}
	c, damaged := errors.AsType[*CorruptError](err)
	switch {
	case int64(at) >= w.Offset:
		return fmt.Errorf("%s: nothing is lost: %w", what, err)
	case !damaged && !errors.Is(err, ErrLostLog) && !errors.Is(err, ErrMissing),
		// Without its header it may go by the log that it took the place of, which the one before names.
		!errors.Is(err, ErrLostLog) && !strings.Contains(err.Error(), e.Header.Ref.ID.String()):
		return fmt.Errorf("%s: the loss is not named: %w", what, err)
	case damaged && first != 0 && at >= int(e.HeaderSize) && (c.FirstSeq > first || c.LastSeq != m.next-1):
		return fmt.Errorf("%s: sequence numbers %d to %d are lost: %w", what, first, m.next-1, err)
	}
	return m.open(m.fs, true)
}

// firstLost returns the first sequence number of a log's changes that do not end before offset
// at; zero: there is none.
func firstLost(e *integrity.Entry, log []byte, at int) (uint64, error) {
	r := segment.ReaderFor(e.Header, strings.NewReader(string(log)), int64(len(log)))
	r.HeaderSize = e.HeaderSize
	for rec, err := range r.Records(segment.Span{}) {
		if err != nil {
			return 0, err
		}
		if rec.Kind.Data() && rec.Offset+rec.Size > int64(at) {
			return rec.Seq, nil
		}
	}
	return 0, nil
}
