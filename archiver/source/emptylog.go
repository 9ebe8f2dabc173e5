package source

import (
	"errors"
	"io/fs"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// EmptyLog is the newest log of a store, if it holds no object.
type EmptyLog struct {
	Ref    segment.Ref
	Seq    uint64 // the last sequence number before it
	Time   int64  // of its last record
	Closed bool   // it ends with the close of this very file
	File   LogFile
}

// LogFile distinguishes the file of a log from copies of it, within the life of a process.
type LogFile struct {
	ref   segment.Ref
	inode uint64
	Birth int64 // zero: the file system has none, and nothing is known
}

// EmptyLog returns the newest log, if it holds no object and is whole. ok is false if it
// does not, or is not, or if there is another unsealed log with anything in it.
func (s *Source) EmptyLog() (l EmptyLog, ok bool, err error) {
	s.mu.Lock()
	logs, err := s.Logs()
	s.mu.Unlock()
	if err != nil {
		return l, false, err
	}
	for _, f := range logs {
		empty, begun, err := s.readEmpty(f.Name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return l, false, nil // sealed meanwhile: the next look finds it
		case err != nil:
			return l, false, err
		case !begun: // the log that is prepared as the next one
		case empty == nil || ok:
			return l, false, nil
		default:
			l, ok = *empty, true
		}
	}
	return l, ok, nil
}

// readEmpty reads an unsealed log, up to its first object: nil if there is one, or if the
// log is not whole. begun is false for a log that has no byte yet.
func (s *Source) readEmpty(name string) (l *EmptyLog, begun bool, err error) {
	f, err := vfs.FromFS(s.fsys).Open(name)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil || size == 0 {
		return nil, false, err
	}
	r, err := segment.NewReader(f, size)
	if err != nil {
		return nil, true, notDamage(err)
	}
	l = &EmptyLog{Ref: r.Header.Ref, Seq: r.Header.FirstSeq - 1}
	end := r.HeaderSize
	var last segment.Record
	for rec, err := range r.Records(segment.Span{}) {
		if err != nil || rec.Kind.Data() {
			return nil, true, notDamage(err)
		}
		last, end, l.Time = *rec, rec.Offset+rec.Size, rec.Time
	}
	if end != size || last.Kind != segment.Mark && last.Kind != segment.Close {
		return nil, true, nil
	}
	id, err := f.Identity()
	if err != nil {
		return nil, true, err
	}
	l.File = LogFile{l.Ref, id.Inode, id.Birth}
	if last.Kind == segment.Close {
		whole, err := r.RecordAt(last.Offset, end)
		if err != nil {
			return nil, true, notDamage(err)
		}
		copied, err := integrity.CopyOf(vfs.FromFS(s.fsys), name, r.Header, whole)
		if err != nil {
			return nil, true, err
		}
		l.Closed = copied == ""
	}
	return l, true, nil
}

// notDamage drops an error about bytes that do not check: the log is being written, or torn. An
// open of the store judges that.
func notDamage(err error) error {
	if _, ok := errors.AsType[*segment.CorruptError](err); ok {
		return nil
	}
	return err
}
