package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"golang.org/x/time/rate"
)

// Options are the options of Run. The zero value works.
type Options struct {
	Level integrity.Level // how much is read; default Tail

	// Writer reports whether a process has the store open for writing. If one has, files
	// that change meanwhile are read again, and the newest log counts as far as it is
	// known to be on the disk. Default: no process has.
	Writer func() (bool, error)

	// Sample is the share of the sealed segments, above 0 and at most 1, that is read whole
	// at Full. They are chosen at random. Of the others, as much is read as at Log. Default: 1.
	Sample float64
	Seed   uint64 // by which the sample is drawn; default: a random one

	Workers  int                  // that read at once; default: two for each processor, so that one reads while the other hashes, and at most 20
	Rate     int64                // bytes a second; default: no limit
	Progress func(n, total int64) // called after n more bytes of about total were read; calls do not overlap; default: not called
}

func (o *Options) bad() error {
	switch {
	case o.Sample < 0 || o.Sample > 1 || o.Sample != o.Sample:
		return fmt.Errorf("integrity: a sample of %v: it must be above 0 and at most 1", o.Sample)
	case o.Sample != 0 && o.Sample != 1 && o.Level != integrity.Full:
		return fmt.Errorf("integrity: a sample at level %v: only %v reads whole segments", o.Level, integrity.Full)
	case o.Level > integrity.Full:
		return fmt.Errorf("integrity: no level %v", o.Level)
	}
	return nil
}

// checker is the state of one Run.
type checker struct {
	ctx   context.Context
	fsys  fs.FS
	fs    vfs.FS
	o     Options
	limit *rate.Limiter
	rep   *Report
	mem   integrity.ScrubLog

	handles *vfs.Handles // of sealed segments

	s    *integrity.Inventory
	st   *integrity.State                 // nil: the newest log cannot be read
	live segment.Set                      // see setLive
	byID map[segment.ID]segment.Ref       // of live; nil until something is looked for
	odd  *unclear                         // of s; nil until something is looked for
	sums map[segment.Ref]*segment.Summary // what footers say, for those with findings

	mu      sync.Mutex // guards what workers add to: rep, sums, sources; the calls of Progress
	sources []*source
}

// Run checks the store in the root of fsys. It changes nothing, and goes on past whatever it
// finds. At each level it reads what an open for reading would, and the tables of all segments.
// At Full it also reads every other byte of every sealed segment. That includes segments that
// have left the set: a finding in one of these says that nothing depends on it.
//
// An error is one of the context, of the options, of o.Writer or of listing the folder, or says
// that the process may not open so many files. It wraps integrity.ErrNotStore if there is no store.
// All else that cannot be read is a finding. Memory does not grow with the size of segments,
// unless they are damaged.
func Run(ctx context.Context, fsys fs.FS, o Options) (*Report, error) {
	if err := o.bad(); err != nil {
		return nil, err
	}
	start := time.Now()
	c := &checker{ctx: ctx, fsys: fsys, fs: vfs.FromFS(fsys), o: o, limit: integrity.NewLimiter(o.Rate), sums: map[segment.Ref]*segment.Summary{}}
	c.handles = vfs.NewHandles(c.fs.Open, vfs.KeepFew)
	if c.o.Seed == 0 {
		c.o.Seed = uint64(rand.Uint32()) // short enough for any reader of JSON
	}
	defer c.close()
	if err := c.resolve(); err != nil {
		return nil, err
	}
	c.remember()
	c.tell()
	if err := c.work(c.jobs()); err != nil {
		return nil, err
	}
	c.finish()
	c.rep.Took = time.Since(start)
	return c.rep, nil
}

// close closes all files.
func (c *checker) close() {
	for _, s := range c.sources {
		s.Close()
	}
}

// resolve finds the state of the store. While a process writes, files change their names, and come
// and go. So findings count only if they are found twice.
func (c *checker) resolve() error {
	const tries = 20
	before := ""
	for i := 0; ; i++ {
		live, err := c.writer()
		if err != nil {
			return err
		}
		if err := c.resolveOnce(live); err != nil {
			if c.ctx.Err() != nil {
				return c.ctx.Err()
			}
			if i == tries || !live && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		now, err := c.writer()
		if err != nil {
			return err
		}
		seen := fmt.Sprint(c.rep.Findings)
		steady := c.s != nil && now == live && (len(c.rep.Findings) == 0 || !live || seen == before)
		if steady || i == tries {
			return nil
		}
		before = seen
		select {
		case <-c.ctx.Done():
			return c.ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (c *checker) writer() (bool, error) {
	if c.o.Writer == nil {
		return false, nil
	}
	return c.o.Writer()
}

// resolveOnce is one attempt of resolve.
func (c *checker) resolveOnce(live bool) error {
	c.close()
	c.sources, c.s, c.st, c.odd = nil, nil, nil, nil
	c.setLive(segment.Set{})
	c.rep = &Report{Path: c.fs.Path("."), Writer: live, Asked: c.o.Level, Level: c.o.Level, Findings: []integrity.Finding{}, Notes: []integrity.Note{}}
	so := integrity.ResolveOptions{Level: min(c.o.Level, integrity.Log), Live: live, Open: c.open}
	s, err := integrity.Survey(c.fs)
	if err == nil {
		c.st, err = s.Resolve(so)
	}
	if err != nil { // again, on past it
		if s, err = integrity.SurveyTolerant(c.fs); err != nil {
			return err
		}
		if s.None() {
			return s.NoLogError(live)
		}
		so.Tolerate = true
		c.st, err = s.Resolve(so)
	}
	c.s = s
	c.rep.UUID = s.UUID
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	if vfs.IsTooManyFiles(err) { // which is nothing of the store
		return err
	}
	if err != nil {
		return c.withoutNewest(err)
	}
	c.setLive(c.st.Live)
	c.problems()
	return nil
}

// source is a segment file that is read under the limit, and counted. integrity.VerifySealed does both
// itself, and gets file.
type source struct {
	integrity.LimitedReader
	file integrity.Source
}

// Close closes the file, once.
func (s *source) Close() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file, s.Src = nil, nil
	return f.Close()
}

// open is source for ResolveOptions.Open.
func (c *checker) open(e *integrity.Entry) (integrity.Source, error) {
	s, err := c.source(e)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// source opens the file of an entry.
func (c *checker) source(e *integrity.Entry) (*source, error) {
	f, err := e.Open(c.fs, c.handles)
	if err != nil {
		return nil, err
	}
	s := &source{integrity.LimitedReader{Ctx: c.ctx, Src: f, Limit: c.limit}, f}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sources = append(c.sources, s)
	return s, nil
}

// remember reads when each segment was verified.
func (c *checker) remember() {
	m, err := integrity.LoadScrubLog(c.fsys)
	if err != nil {
		c.rep.note(integrity.ScrubLogName, err.Error())
	}
	c.mem = m
}

// finish sorts the findings, and adds to each since when it can be there and what has to be done.
func (c *checker) finish() {
	r := c.rep
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Keys == nil {
			f.Keys = [][]byte{}
		}
		if f.Good.IsZero() && f.Segment != (segment.Ref{}) && f.Kind != integrity.Missing && f.Kind != integrity.LostLog {
			f.Good = c.good(f)
		}
		if f.Next == "" {
			f.Next = integrity.RemedyFor(f.Kind)
		}
	}
	r.Findings = sorted(r.Findings)
	for _, s := range c.sources {
		r.Bytes += s.Bytes
	}
}

// good says since when a finding's segment is known to have been whole.
func (c *checker) good(f *integrity.Finding) time.Time {
	var written time.Time
	if e := c.s.File(f.Segment); e != nil {
		if info, err := c.fs.Stat(e.Name); err == nil {
			written = info.ModTime()
		}
	}
	sum := c.sums[f.Segment]
	if sum == nil {
		sum = &segment.Summary{}
	}
	return lastWhole(c.mem, f.Segment, sum, written)
}

// outside reports whether a segment does not belong to the store's set.
func (c *checker) outside(ref segment.Ref) bool { return !c.live.Has(ref) }

// lastWhole returns when a segment was last known to be whole: as remembered, else when
// it was sealed, by its footer, else when its file was last written.
func lastWhole(m integrity.ScrubLog, ref segment.Ref, sum *segment.Summary, written time.Time) time.Time {
	if x, ok := m[ref]; ok && (sum.FileSize == 0 || sum.SHA256 == x.SHA256) {
		return x.Verified
	}
	if sum.LastTime != 0 {
		return time.Unix(0, sum.LastTime).UTC()
	}
	return written.UTC()
}
