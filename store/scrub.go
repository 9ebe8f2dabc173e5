package store

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// ScrubOptions has sealed segments read whole in the background while the store
// is open for writing, the one that was verified longest ago first, so that
// damage is found while there is a copy to heal it from. When which was verified is
// remembered in scrub.json, across restarts.
//
// What is read comes through the system's cache: of bytes that it holds, it is the
// cache that is verified, and the disk when they have left it.
type ScrubOptions struct {
	// Rate is how many bytes are read in a second. Zero: nothing is scrubbed, the default.
	Rate int64

	// Every is how old a verification may become before the segment is read again.
	// Default 7 days.
	Every time.Duration

	// OnFinding is called for each finding, from one goroutine of the store, which
	// waits for it. It may read from the store, and must not close it. Default: none;
	// findings are logged, and in Stats.
	OnFinding func(integrity.Finding)
}

// defaultScrubEvery is a choice: at it, 10 TB take 17 MB/s.
const defaultScrubEvery = 7 * 24 * time.Hour

// ScrubStats says how scrubbing goes.
type ScrubStats struct {
	Segments int   `json:"segments"` // sealed, of the store
	Verified int   `json:"verified"` // of them, at any time that is remembered
	Bytes    int64 `json:"bytes"`    // read since the open

	// Oldest is when the segment was read and checked for which that is longest ago. Until
	// its first scrub that was by its seal, which reads all of the log again. Zero: there is
	// no segment.
	Oldest time.Time `json:"oldest,omitzero"`

	// Findings are those since the open, the newest last, 100 of them at most; Found is
	// how many there were.
	Findings []integrity.Finding `json:"findings"`
	Found    int64               `json:"found"`
}

// scrubber reads segments in the background.
type scrubber struct {
	db *DB

	// The scrubber's own.
	saved time.Time            // when the memory was written
	there map[segment.Ref]bool // sealed segments whose files were there when it last looked

	mu     sync.Mutex // guards what follows; nothing is locked under it
	memory integrity.ScrubLog
	tried  map[segment.Ref]time.Time // when a segment was read that had findings
	stats  ScrubStats
}

const (
	scrubLook = time.Minute      // after which segments are looked for again
	scrubSave = 10 * time.Second // the memory is written as often at most, and at the end
	mostFound = 100              // findings that are kept
)

// run is the scrubber's goroutine.
func (s *scrubber) run() {
	defer s.db.workers.Done()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends with the store
		<-s.db.stop
		cancel()
	}()
	s.load()
	for ctx.Err() == nil {
		if wait := s.next(ctx); wait > 0 {
			s.rest(ctx, wait)
		}
	}
	s.save(true)
}

// rest waits, or until the store is closed.
func (s *scrubber) rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// next reads the segment whose turn it is, and returns how long to wait before
// the one after it.
func (s *scrubber) next(ctx context.Context) time.Duration {
	files, gone, err := s.sealed()
	if err != nil {
		s.db.opt.Logger.Warn("scrub cannot list the store", "err", err)
		return scrubLook
	}
	for _, ref := range gone {
		s.tell(ref, nil, []integrity.Finding{{Kind: integrity.Missing, Segment: ref, File: s.db.fs.Path(sealName(ref.ID)),
			Reason: "the file was taken away while the store is open; its objects can be read until the store is closed"}})
	}
	ref, last := s.oldest(files)
	if wait := time.Until(last.Add(s.db.opt.Scrub.Every)); ref == (segment.Ref{}) || wait > 0 {
		s.save(false)
		if ref == (segment.Ref{}) {
			return scrubLook
		}
		return min(wait, scrubLook)
	}
	s.verify(ctx, ref)
	s.save(false)
	return 0
}

// sealed returns the segments of the store whose files have their seal, and those whose
// files had it at the last look and are gone.
func (s *scrubber) sealed() (there []sealedFile, gone []segment.Ref, err error) {
	list, err := s.db.fs.ReadDir(".")
	if err != nil {
		return nil, nil, err
	}
	files := map[string]bool{}
	for _, d := range list {
		if d.Type().IsRegular() && strings.HasSuffix(d.Name(), segment.SealedExt) {
			files[d.Name()] = true
		}
	}
	before := s.there
	s.there = make(map[segment.Ref]bool, len(files))
	s.db.view.rw.RLock() // after the list: what has left the store since is not gone
	defer s.db.view.rw.RUnlock()
	for _, f := range s.db.view.segs {
		switch {
		case files[sealName(f.ref.ID)]:
			there, s.there[f.ref] = append(there, sealedFile{f.ref, time.Unix(0, f.sealed.Load())}), true
		case before[f.ref]:
			gone = append(gone, f.ref)
		}
	}
	return there, gone, nil
}

// sealedFile is a segment to scrub, and when it was sealed.
type sealedFile struct {
	ref    segment.Ref
	sealed time.Time
}

// oldest returns the segment that was read longest ago, and when, and brings the
// figures up to date. What is no longer of the store is forgotten. One that was never
// read comes first, though its seal vouches for it: that is likely to have read what the
// cache still had.
func (s *scrubber) oldest(files []sealedFile) (oldest segment.Ref, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.stats
	st.Segments, st.Verified, st.Oldest = len(files), 0, time.Time{}
	here := make(map[segment.Ref]bool, len(files))
	for _, f := range files {
		here[f.ref] = true
	}
	maps.DeleteFunc(s.memory, func(ref segment.Ref, _ integrity.Scrubbed) bool { return !here[ref] })
	for i, f := range files {
		m, ok := s.memory[f.ref]
		good := f.sealed
		if ok {
			st.Verified++
			good = m.Verified
		}
		if st.Oldest.IsZero() || good.Before(st.Oldest) {
			st.Oldest = good
		}
		last := m.Verified
		if t := s.tried[f.ref]; t.After(last) {
			last = t
		}
		if i == 0 || last.Before(at) {
			oldest, at = f.ref, last
		}
	}
	return oldest, at
}

// verify reads one segment.
func (s *scrubber) verify(ctx context.Context, ref segment.Ref) {
	f, err := s.db.fs.Open(sealName(ref.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return // the next look says why
	}
	path := s.db.fs.Path(sealName(ref.ID))
	var v *integrity.Verified
	var findings []integrity.Finding
	if err == nil {
		var size int64
		if size, err = f.Size(); err == nil {
			v, findings, err = integrity.VerifySealed(ctx, f, size, integrity.VerifyOptions{
				File: path, Ref: ref, Limit: integrity.NewLimiter(s.db.opt.Scrub.Rate)})
		}
		f.Close()
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		findings = []integrity.Finding{{Kind: integrity.Unreadable, Segment: ref, File: path, Reason: err.Error()}}
	}
	s.tell(ref, v, findings)
}

// tell takes notice of what was read, and tells of findings.
func (s *scrubber) tell(ref segment.Ref, v *integrity.Verified, findings []integrity.Finding) {
	s.note(ref, v, findings)
	for _, f := range findings {
		s.db.opt.Logger.Error("scrub found damage", "kind", string(f.Kind), "file", f.File, "segment", ref.String(),
			"offset", f.Offset, "reason", f.Reason, "next", string(f.Next))
		if fn := s.db.opt.Scrub.OnFinding; fn != nil {
			fn(f)
		}
	}
}

// note takes notice of what was read; v is nil where nothing was.
func (s *scrubber) note(ref segment.Ref, v *integrity.Verified, findings []integrity.Finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v != nil {
		s.stats.Bytes += v.Bytes
	}
	good, known := s.memory[ref]
	if len(findings) == 0 {
		s.memory[ref] = integrity.Scrubbed{Verified: time.Now(), SHA256: v.Summary.SHA256}
		delete(s.tried, ref)
		return
	}
	s.tried[ref] = time.Now()
	for i := range findings {
		if findings[i].Next == "" {
			findings[i].Next = integrity.RemedyFor(findings[i].Kind)
		}
		if known {
			findings[i].Good = good.Verified
		}
	}
	s.stats.Found += int64(len(findings))
	s.stats.Findings = append(s.stats.Findings, findings...)
	if n := len(s.stats.Findings) - mostFound; n > 0 {
		s.stats.Findings = slices.Delete(s.stats.Findings, 0, n)
	}
}

// report returns the figures.
func (s *scrubber) report() *ScrubStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Findings = slices.Clone(st.Findings)
	return &st
}
