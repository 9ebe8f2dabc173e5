package check

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"

	"github.com/varve-db/varve/integrity"
)

// job is a sealed segment to be read: whole, or its table alone.
type job struct {
	e     *integrity.Entry
	src   *source // nil: not open yet
	whole bool
	out   bool  // it is not of the set any more
	bytes int64 // to be read, about
}

// jobs lists the segments to be read, the largest first. Segments of the set are open already, so
// that a writer cannot remove them meanwhile.
func (c *checker) jobs() []*job {
	var list []*job
	mine := map[*integrity.Entry]bool{}
	if c.st != nil {
		for _, p := range c.st.Parts {
			if mine[p.Entry] = true; p.Sealed {
				src, _ := p.Src.(*source)
				list = append(list, &job{e: p.Entry, src: src})
			}
		}
	}
	for _, e := range c.s.Files {
		if e.Sealed && !mine[e] {
			list = append(list, &job{e: e, out: c.outside(e.Header.Ref)})
		}
	}
	c.rep.Files = len(list)
	c.sample(list)
	list = slices.DeleteFunc(list, func(j *job) bool { return j.out && !j.whole })
	for _, j := range list {
		if j.bytes = j.e.Size; !j.whole {
			j.bytes /= 20
		}
	}
	slices.SortStableFunc(list, func(a, b *job) int { return cmp.Compare(b.bytes, a.bytes) })
	return list
}

// sample chooses what is read whole.
func (c *checker) sample(list []*job) {
	if c.o.Level != integrity.Full {
		return
	}
	share := c.o.Sample
	if share == 0 {
		share = 1
	}
	for _, i := range draw(len(list), share, c.o.Seed) {
		list[i].whole = true
		c.rep.Whole++
	}
	if share < 1 {
		c.rep.Seed = &c.o.Seed
	}
	conf := confidenceOf(c.rep.Whole, len(list))
	c.rep.Confidence = &conf
}

// work does all jobs, several at once. The error is the context's.
func (c *checker) work(list []*job) error {
	total := int64(0)
	for _, j := range list {
		total += j.bytes
	}
	integrity.VerifyEach(c.ctx, len(list), c.o.Workers, func(i int, v *integrity.Verifier) { c.do(list[i], total, v) })
	return c.ctx.Err()
}

// do does one job.
func (c *checker) do(j *job, total int64, by *integrity.Verifier) {
	path := c.fs.Path(j.e.Name)
	if j.src == nil {
		src, err := c.source(j.e)
		if err != nil && j.out && errors.Is(err, fs.ErrNotExist) {
			return // a writer removed it
		}
		if err != nil {
			f := c.finding(integrity.Unreadable, err)
			f.Segment, f.File = j.e.Header.Ref, path
			c.found(j, &integrity.Verified{}, []integrity.Finding{f})
			return
		}
		j.src = src
	}
	defer j.src.Close()
	o := integrity.VerifyOptions{File: path, Ref: j.e.Header.Ref}
	if c.o.Progress != nil {
		o.Progress = func(n int64) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.o.Progress(n, total)
		}
	}
	if j.whole {
		o.Limit = c.limit
		v, found, _ := by.Sealed(c.ctx, j.src.file, j.e.Size, o)
		j.src.Bytes += v.Bytes
		c.found(j, v, found)
		return
	}
	v, found := integrity.VerifyTable(c.ctx, j.src, j.e.Size, o)
	c.found(j, v, found)
	if o.Progress != nil {
		o.Progress(j.bytes)
	}
}

// found takes the result of a job.
func (c *checker) found(j *job, v *integrity.Verified, found []integrity.Finding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rep.Records += v.Records
	for _, f := range found {
		if j.out {
			f.Reason += "; the store's present content does not depend on this segment"
			f.Next = integrity.DoNothing
		}
		c.rep.find(f)
	}
	if len(found) > 0 {
		c.sums[j.e.Header.Ref] = &v.Summary
	}
}
