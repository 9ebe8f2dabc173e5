package store

import (
	"io/fs"
	"sync"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Reader is a store that is open for reading only. Nothing on disk is changed, no
// lock is taken, and a process may write to the store meanwhile: then the
// reader shows what was known to be on the disk, each object within 50 ms of its
// sync, as of the open or of the last Refresh. Where no process writes, it
// shows what recovery would bring back.
//
// Its methods may be called from any number of goroutines.
type Reader struct {
	view
	fs  vfs.FS
	opt Options

	mu     sync.Mutex // guards what follows; before view.rw
	report OpenReport
	tip    tip
}

// tip is how far a Reader has followed the newest log.
type tip struct {
	sf    *segFile
	hdr   *segment.Head
	f     vfs.File    // nil: the log had been ended when it was judged
	ended segment.Ref // then, the log that follows it
	off   int64       // records up to here are in the index
	next  uint64      // the sequence number due there
	size  int64       // of the file, when it was judged without a writer; else -1
}

// OpenReadOnly opens the store in the folder dir for reading. Of the options
// it heeds Integrity, MaxIndexBytes, AllowDamaged and Logger; options may be nil. The error
// wraps fs.ErrNotExist or ErrNotStore where there is no store, is an *ArchiveError where the
// folder is an archive's, and is otherwise one of Open's.
func OpenReadOnly(dir string, o *Options) (*Reader, error) {
	opt, err := o.resolved()
	if err != nil {
		return nil, err
	}
	if dir, err = storeFolder(dir); err != nil {
		return nil, err
	}
	fsys := vfs.Dir(dir)
	r, err := openReader(fsys, opt)
	return r, orArchive(fsys, err)
}

// OpenReadOnlyFS opens a store that lies in the root of any file system, as
// OpenReadOnly does one that no process writes to. Files that are no
// io.ReaderAt are read into memory.
func OpenReadOnlyFS(fsys fs.FS, o *Options) (*Reader, error) {
	opt, err := o.resolved()
	if err != nil {
		return nil, err
	}
	return openReader(vfs.FromFS(fsys), opt)
}

func openReader(fsys vfs.FS, opt Options) (*Reader, error) {
	r := &Reader{fs: fsys, opt: opt}
	if err := r.reload(); err != nil {
		return nil, err
	}
	r.report.log(opt.Logger)
	return r, nil
}

// OpenReport returns what the open found, or the last Refresh that had to build
// the index anew.
func (r *Reader) OpenReport() OpenReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.report
}

// Close lets go of the store. Snapshots stay good until they are closed.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.view.close() {
		return ErrClosed
	}
	return nil
}

func (r *Reader) isClosed() bool {
	r.rw.RLock()
	defer r.rw.RUnlock()
	return r.closed
}

// Refresh shows what has been written since the open or the last Refresh. It
// costs what is new, unless the store was recovered or copied over meanwhile.
// After an error the Reader shows what it showed before.
func (r *Reader) Refresh() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isClosed() {
		return ErrClosed
	}
	followed, err := r.follow()
	if err != nil || followed {
		return err
	}
	return r.reload()
}

// reload builds the index from the files.
func (r *Reader) reload() error {
	return receipt.WhoHas(r.fs, integrity.WhileWritten(r.fs, r.load))
}

// load builds a view and puts it in place of the present one.
func (r *Reader) load(live bool) error {
	rep := OpenReport{Path: r.fs.Path("."), Asked: r.opt.Integrity, Level: r.opt.Integrity}
	rep.begin()
	s, err := integrity.Survey(r.fs)
	if err != nil {
		return err
	}
	rep.phase("headers", int64(len(s.Files)), 0)
	st, err := resolveState(s, &r.opt, live)
	if err != nil {
		return err
	}
	rep.Clock = st.ClockJumps(time.Now())
	rep.phase("footers", int64(len(st.Parts)), 0)
	defer st.Close()
	var v view
	if err := st.verify(&r.opt, &rep); err != nil {
		return err
	}
	if err := st.buildIndex(&v, &r.opt, &rep); err != nil {
		v.close()
		return err
	}
	t, err := st.tip(&v, live, &rep)
	if err == nil {
		err = tooLarge(v.idx.Memory().Heap, r.opt.MaxIndexBytes)
	}
	if err == nil {
		err = st.verifyIndex(&v, t.sf, st.V.End, &r.opt, &rep)
	}
	if err != nil {
		v.close()
		return err
	}
	st.tell(&rep, live)
	rep.Objects, rep.Segments, rep.LastSeq = int64(v.idx.Len()), len(v.segs), t.next-1
	r.swap(&v)
	rep.phase("rest", 0, 0)
	r.report, r.tip = rep, t
	return nil
}

// swap gives the Reader the content of v.
func (r *Reader) swap(v *view) {
	r.rw.Lock()
	old := r.segSet
	r.idx, r.segs, r.segSet, r.doubts = v.idx, v.segs, v.segSet, v.doubts
	r.rw.Unlock()
	old.unpin()
}

// tell fills in what the report says of the newest log.
func (st storeState) tell(rep *OpenReport, live bool) {
	rep.UUID, rep.Timeline, rep.Clean = st.UUID, st.Newest.Header.Ref.Timeline, st.Clean
	rep.LeftAlone = st.Others
	if rep.Live = live; live {
		rep.Notes = append(rep.Notes, "a process has the store open for writing; shown is what was known to be on the disk")
		return
	}
	rep.Level = st.taken(rep.Asked)
	switch {
	case st.Lost:
		rep.Lost = &st.V.Successor
		rep.Notes = append(rep.Notes, st.Why+": shown is what came before it; an open for writing refuses that, unless the loss is accepted")
	case st.Why != "":
		rep.Notes = append(rep.Notes, st.Why+"; the next open for writing recovers it")
	}
	if n := st.Newest.Size - st.V.End; n > 0 && st.V.Torn != "" {
		rep.Cut = &Cut{Segment: st.Newest.Header.Ref, Offset: st.V.End, Bytes: n, Reason: st.V.Torn}
	}
}

// tip puts the newest log's records into the index, and returns where they end.
func (st storeState) tip(v *view, live bool, rep *OpenReport) (tip, error) {
	t := tip{hdr: st.Newest.Header, off: st.V.End, next: st.V.NextSeq, size: st.Newest.Size}
	f, err := st.FS.Open(st.Newest.Name)
	if err != nil {
		return t, err
	}
	t.f, t.sf = f, followed(f, st.Newest.Header, st.log().path)
	t.sf.size.Store(st.Newest.Size)
	if st.V.Successor != (segment.Ref{}) { // its records are in a table
		for _, p := range st.Parts {
			if p.Entry == st.Newest {
				t.sf.unpin()
				t.sf, t.f, t.ended = fileOf(p), nil, st.V.Successor
			}
		}
		return t, nil
	}
	v.add(t.sf)
	t.sf.unpin()
	err = st.replay(v, t.sf, rep)
	t.sf.last.Store(max(t.sf.last.Load(), t.hdr.FirstSeq-1))
	t.next = t.sf.last.Load() + 1
	if live {
		t.size = -1
	}
	return t, err
}
