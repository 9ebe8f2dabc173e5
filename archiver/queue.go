package archiver

import (
	"slices"
	"time"

	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/segment"
)

// job is a segment that a target does not have yet, by its receipts.
type job struct {
	ref     segment.Ref
	seg     source.Sealed // as it was last listed
	old     time.Duration // how old the segment was when it was first seen, by the clock
	seen    time.Time     // when that was; only its monotonic part is used
	first   int64         // commit time of its oldest object, nanoseconds; zero: not known
	running bool
	tries   int // failed attempts
	retreat retreat
}

// age is how long the segment has been waiting, in this process and before it: by its
// oldest commit, where that is known.
func (j *job) age() time.Duration {
	age := j.old + time.Since(j.seen)
	if j.first != 0 {
		age = max(age, time.Since(time.Unix(0, j.first)))
	}
	return age
}

// queue is what a target still lacks. The oldest segment goes first; one that failed waits
// without holding up the others.
type queue struct {
	jobs  map[segment.Ref]*job
	ready []*job // not tried yet, or not failed; in order of Ref.Compare
	late  []*job // failed
	bytes int64  // of all jobs
}

// update makes the queue hold the segments of a listing that done does not have. What
// is no longer listed is dropped.
func (q *queue) update(list []source.Sealed, done func(segment.Ref) bool) {
	there := make(map[segment.Ref]bool, len(list))
	added := false
	for _, g := range list {
		there[g.Ref] = true
		if j := q.jobs[g.Ref]; j != nil {
			q.bytes += g.Size - j.seg.Size
			j.seg = g
			continue
		}
		if done(g.Ref) {
			continue
		}
		j := &job{ref: g.Ref, seg: g, old: max(0, time.Since(g.Modified)), seen: time.Now()}
		q.jobs[g.Ref] = j
		q.ready = append(q.ready, j)
		q.bytes += g.Size
		added = true
	}
	gone := map[*job]bool{} // removed in one pass: one by one would take quadratic time
	for ref, j := range q.jobs {
		if !there[ref] && !j.running {
			gone[j] = true
			q.forget(j)
		}
	}
	if len(gone) > 0 {
		q.ready = slices.DeleteFunc(q.ready, func(j *job) bool { return gone[j] })
		q.late = slices.DeleteFunc(q.late, func(j *job) bool { return gone[j] })
	}
	if added {
		slices.SortFunc(q.ready, func(a, b *job) int { return a.ref.Compare(b.ref) })
	}
}

// take returns a job whose time has come, which is the caller's until it calls done,
// remove or again; or nil, and how long until there is one: -1 if none will come by
// itself.
func (q *queue) take() (*job, time.Duration) {
	now := time.Now()
	wait := time.Duration(-1)
	for i, j := range q.late {
		left := j.retreat.resume.Sub(now)
		if left <= 0 {
			q.late = slices.Delete(q.late, i, i+1)
			j.running = true
			return j, 0
		}
		if wait < 0 || left < wait {
			wait = left
		}
	}
	if len(q.ready) == 0 {
		return nil, wait
	}
	j := q.ready[0]
	q.ready = q.ready[1:]
	j.running = true
	return j, 0
}

// again puts a job back that failed, or was not finished.
func (q *queue) again(j *job) {
	j.running = false
	q.late = append(q.late, j)
}

// answered notes that the target answers: jobs that failed because it did not answer need not
// wait.
func (q *queue) answered() {
	for _, j := range q.late {
		j.retreat.answered()
	}
}

// abandon keeps a job in the queue, so that its segment counts as lacking, and never tries it
// again.
func (q *queue) abandon(j *job) {
	q.late = slices.DeleteFunc(q.late, func(o *job) bool { return o == j })
}

// remove forgets a job that take returned.
func (q *queue) remove(j *job) {
	q.forget(j)
	j.running = false
}

func (q *queue) forget(j *job) {
	delete(q.jobs, j.ref)
	q.bytes -= j.seg.Size
}

// first returns the job of the log that was begun first, or nil: ids grow with time, over
// all timelines.
func (q *queue) first() (first *job) {
	for _, j := range q.jobs {
		if j.seg.Kind == segment.Log && (first == nil || j.ref.ID < first.ref.ID) {
			first = j
		}
	}
	return first
}

// oldest returns the job that has been waiting for the longest time, or nil.
func (q *queue) oldest() (oldest *job) {
	for _, j := range q.jobs {
		if oldest == nil || j.age() > oldest.age() {
			oldest = j
		}
	}
	return oldest
}
