package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/throttle"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Options say what to restore and how. Only Plan must be given.
type Options struct {
	Plan     *history.Plan
	Parallel int            // segments that are fetched at a time. Default 4
	Rate     int64          // most bytes fetched in a second. Default 0: no bound
	Timeout  time.Duration  // of an attempt to fetch a segment, for each 64 MiB. Default 5 minutes
	Quick    bool           // take what is in place for sound if its header and footer are, without reading it all
	Progress func(Progress) // gets how far the work has come; its calls do not overlap. May be nil
}

// Report says what a restore did.
type Report struct {
	Dest     string           `json:"dest"`
	Store    segment.UUID     `json:"store"`
	Timeline segment.Timeline `json:"timeline"` // that the copy goes on with
	Seq      uint64           `json:"seq"`
	Time     time.Time        `json:"time"`
	Segments int              `json:"segments"` // whole ones
	Bytes    int64            `json:"bytes"`    // of the plan
	Fetched  int64            `json:"fetched"`  // bytes; the rest was there

	Freshened bool     `json:"freshened"` // DEST was an older copy
	Unchanged bool     `json:"unchanged"` // DEST was at the point already
	Removed   []string `json:"removed"`   // files that the store no longer needs
	Notes     []string `json:"notes"`

	Clock *segment.ClockJump `json:"clock,omitempty"` // of the plan
}

// pinFor is how long the segments of a restore are kept from being pruned.
const pinFor = 24 * time.Hour

// Run brings a store to the state of a plan, in the folder dest, which then holds a store that
// opens in order, on a timeline of its own.
//
// Where dest is absent, the store is built beside it, in dest.restoring, and put in place by one
// rename. Where dest is an empty folder, which may be a mount point or ".", the store is built
// in it. Until all is there it does not open: the error says that a restore has not finished.
// What an earlier restore fetched before it was cut off is not fetched again. A restore that
// fails before anything is fetched leaves nothing behind.
//
// Where dest holds an older copy of the store, the copy is freshened: what differs is fetched,
// and put in place by one rename of the last log. Until then it opens as the older copy, after a
// power cut too, and may be read all the time. A copy that was written to since, or that is
// later than the plan, is refused with a *DivergedError, and one that a process has open for
// writing with vfs.ErrLocked.
//
// Every byte is verified before anything is put in place: damage in the archive is a
// *segment.CorruptError that names the object. A disk without the room is
// ErrNoRoom, found before anything is fetched.
func Run(ctx context.Context, a *archive.Archive, dest string, o Options) (rep *Report, err error) {
	if o.Plan == nil {
		return nil, errors.New("restore: no plan")
	}
	if dest == "" {
		return nil, fmt.Errorf("restore: %w: no folder is named", ErrDiverged)
	}
	dest = filepath.Clean(dest)
	into, above, name := vfs.Dir(dest), vfs.Dir(filepath.Dir(dest)), filepath.Base(dest)
	there, err := isThere(into)
	if err != nil {
		return nil, err
	}
	unpin, note, err := pinPlan(ctx, a, o.Plan, dest)
	if err != nil {
		return nil, err
	}
	defer unpin()
	if there {
		rep, err = restoreInto(ctx, a, into, o)
	} else {
		rep, err = restoreBeside(ctx, a, above, name, o)
	}
	if err != nil {
		return nil, err
	}
	rep.Dest, rep.Clock = dest, o.Plan.Clock
	if note != "" {
		rep.Notes = append(rep.Notes, note)
	}
	if _, err := above.Stat(besideOf(name)); there && err == nil {
		rep.Notes = append(rep.Notes, fmt.Sprintf("%s is left from a restore that was cut off while %s was absent; remove it", above.Path(besideOf(name)), dest))
	}
	return rep, nil
}

// isThere reports whether dest is a folder; false: nothing is there.
func isThere(dest vfs.FS) (bool, error) {
	info, err := dest.Stat(".")
	switch {
	case errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vfs.ErrDangling):
		return false, nil
	case err != nil:
		return false, err
	case !info.IsDir():
		return false, fmt.Errorf("%s: %w: it is a file; name a folder", dest.Path("."), ErrDiverged)
	}
	return true, nil
}

// restoreInto restores into a folder that is there. What a restore left there that was cut off
// before its log had its name does not count.
func restoreInto(ctx context.Context, a *archive.Archive, dest vfs.FS, o Options) (*Report, error) {
	s, err := integrity.List(dest)
	if err != nil {
		return nil, err
	}
	r := newRestorer(a, dest, o)
	if s.None() && !s.Traces && len(s.Others) == 0 {
		return r.build(ctx)
	}
	return r.freshen(ctx)
}

// besideOf is what a folder is called until all is in it.
func besideOf(name string) string { return name + ".restoring" }

// restoreBeside builds a store beside the folder name, which is absent, and gives it
// that name.
func restoreBeside(ctx context.Context, a *archive.Archive, above vfs.FS, name string, o Options) (*Report, error) {
	beside := vfs.Sub(above, besideOf(name))
	err := beside.Mkdir(".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; the folder above it must be there", err)
	}
	if err != nil {
		return nil, err
	}
	rep, err := newRestorer(a, beside, o).build(ctx)
	if err != nil {
		return nil, errors.Join(err, removeEmpty(above, besideOf(name)))
	}
	if err := above.Rename(besideOf(name), name); err != nil {
		return nil, fmt.Errorf("%w; all is in %s: rename it to a name that is free", err, beside.Path("."))
	}
	return rep, above.SyncDir(".") // the name, before anybody is told that the store is there
}

// pinPlan pins the segments of a plan while they are read. A target that may only be read takes
// no pin: note says so.
func pinPlan(ctx context.Context, a *archive.Archive, p *history.Plan, dest string) (unpin func(), note string, err error) {
	refs := p.Set()
	if p.Cut != nil {
		refs = append(slices.Clone(refs), p.Cut.Ref)
	}
	host, _ := os.Hostname()
	un, err := a.Pin(ctx, p.Store, refs, fmt.Sprintf("restore to %s on %s", dest, host), pinFor)
	switch {
	case err == nil:
		return func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			_ = un(ctx) // it expires
		}, "", nil
	case errors.Is(err, archive.ErrPruned) || ctx.Err() != nil:
		return nil, "", err
	}
	return func() {}, fmt.Sprintf("the segments could not be pinned, so a prune could have deleted them meanwhile: %v", err), nil
}

// fetchers bounds how many fetches run at a time and share the rate.
const fetchers = 64

// restorer is one restore into one folder.
type restorer struct {
	a    *archive.Archive
	fsys vfs.FS
	o    Options
	plan *history.Plan
	set  segment.Set
	rep  *Report
	dir  *folder
	get  *fetcher

	ready []ready // by place in the plan, when fetch has ended
	prove bool    // the copy's log is to be compared: see sameRecords
}

func newRestorer(a *archive.Archive, fsys vfs.FS, o Options) *restorer {
	o.Parallel = cmp.Or(o.Parallel, 4)
	o.Timeout = cmp.Or(o.Timeout, target.DefaultTimeout)
	p := o.Plan
	r := &restorer{a: a, fsys: fsys, o: o, plan: p, set: segment.SetOf(p.Set()...)}
	r.rep = &Report{Dest: fsys.Path("."), Store: p.Store, Seq: p.Seq, Time: p.Time, Segments: len(p.Segments), Bytes: p.Bytes()}
	n := len(p.Segments)
	t := &tracker{report: o.Progress, done: make([]bool, n), ended: make([]time.Time, n)}
	t.now.Total = p.Bytes()
	r.get = &fetcher{a: a, store: p.Store, fsys: fsys, track: t, timeout: target.Timeout{PerUnit: o.Timeout, Rate: o.Rate, Senders: fetchers}, limit: throttle.Limit(o.Rate)}
	return r
}

// lock keeps others from writing to the folder.
func (r *restorer) lock() (unlock func(), err error) {
	c, holder, err := r.fsys.Lock(lockName, fmt.Sprintf("a restore, pid %d, since %s", os.Getpid(), time.Now().UTC().Format(time.RFC3339)))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("%s: %w by %s; end that first, or restore into another folder", r.fsys.Path("."), vfs.ErrLocked, holder)
	}
	if err != nil {
		return nil, err
	}
	return func() { c.Close() }, nil
}

// build makes the store in a folder in which there is none. The last log gets its name before
// the segments get theirs: until all of them are there the store does not open, so that a part
// of it is never used as the whole.
func (r *restorer) build(ctx context.Context) (_ *Report, err error) {
	newLock, err := r.lacks(lockName)
	if err != nil {
		return nil, err
	}
	unlock, err := r.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	defer func() {
		if err != nil {
			err = errors.Join(err, r.withdraw(newLock))
		}
	}()
	if r.dir, err = lookAt(r.fsys, r.plan.Store); err != nil {
		return nil, err
	}
	if len(r.dir.Others) > 0 {
		return nil, fmt.Errorf("%s: holds %s, which no restore wrote; move it away", r.fsys.Path("."), r.dir.Others[0])
	}
	if err := r.enoughRoom(false); err != nil {
		return nil, err
	}
	if err := r.mark(); err != nil {
		return nil, err
	}
	if err := r.fetch(ctx, false); err != nil {
		return nil, err
	}
	if err := r.clean(r.stale()...); err != nil {
		return nil, err
	}
	r.rep.Removed = nil // it lists only what an earlier attempt left
	if err := r.putLast(0, segment.Set{}); err != nil {
		return nil, err
	}
	if err := r.place(); err != nil {
		return nil, err
	}
	return r.rep, r.unmark()
}

// stale returns useless files of an earlier restore that was cut off.
func (r *restorer) stale() (old []*integrity.Entry) {
	for _, x := range r.dir.Own {
		i, ours := archive.Find(r.plan.Segments, x.Header.Ref.ID)
		if !ours || r.plan.Segments[i].Ref != x.Header.Ref || !x.Sealed {
			old = append(old, x)
		}
	}
	return slices.Concat(old, r.dir.Alien, r.dir.headless(), r.temporaries(false))
}

// temporaries returns the temporary files that are of no use any more; last says
// that the last log is there.
func (r *restorer) temporaries(last bool) (old []*integrity.Entry) {
	wanted := map[string]bool{}
	for _, s := range r.ready {
		if !s.placed {
			wanted[segment.FileName(s.ref.ID, segment.TempExt)] = true
		}
	}
	if c := r.plan.Cut; c != nil && !last {
		wanted[segment.FileName(c.Ref.ID, segment.TempExt)] = true
	}
	for name, x := range r.dir.tmps {
		if !wanted[name] {
			old = append(old, x)
		}
	}
	return old
}

// clean removes files, once each, and says so in the report.
func (r *restorer) clean(files ...*integrity.Entry) error {
	done := map[string]bool{}
	for _, name := range r.rep.Removed {
		done[name] = true
	}
	files = slices.DeleteFunc(files, func(x *integrity.Entry) bool { return done[x.Name] })
	for _, x := range files {
		r.rep.Removed = append(r.rep.Removed, x.Name)
	}
	return r.dir.remove(files...)
}
