package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/varve-db/varve/cmd/varve/internal/table"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/salvage"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/store"
)

// salvageReport is what repair --salvage has to say.
type salvageReport struct {
	*salvage.Report
	Dest          string     `json:"dest"`
	Expired       int64      `json:"expired"`        // left out
	WithoutExpiry int64      `json:"without_expiry"` // a store takes no expiry from outside
	WithoutSlots  int64      `json:"without_slots"`  // nor slots
	Stale         []staleKey `json:"stale"`
}

// staleKey is an object that may not be the newest version of its key.
type staleKey struct {
	Key   string `json:"key"`
	Bytes []byte `json:"key_b64"`
	Seq   uint64 `json:"seq"`
}

// salvage writes what can be read of the store in dir to a new one. That gets its name
// when all is in it, and the list of what is lost beside it.
func (a *app) salvage(ctx context.Context, dir string, f *repairFlags) error {
	if err := holdsSegments(dir); err != nil {
		return err
	}
	dest := filepath.Clean(f.salvage)
	list := listOf(dest)
	if err := a.salvageable(dir, dest, list); err != nil {
		return err
	}
	r := &salvageReport{Dest: dest, Stale: []staleKey{}}
	bar := a.meter("reading", sizeOf(dir))
	take, done, err := a.destination(partOf(dest), f.dryRun)
	if err != nil {
		return destError(err)
	}
	r.Report, err = salvage.Run(ctx, vfs.AsFS(vfs.Dir(dir)), salvage.Options{
		Progress: bar.Add,
		Object:   func(o salvage.Object) error { return r.object(&o, take) },
	})
	bar.Finish()
	if err = done(err); ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil && !f.dryRun {
		err = r.name(vfs.Dir(filepath.Dir(dest)), !a.json)
	}
	if err != nil && !f.dryRun {
		return fmt.Errorf("%w; the store is as it was; remove %s before you salvage it again", err, partOf(dest))
	}
	if err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(r)
	} else {
		out := a.page()
		r.write(out, list, f.dryRun)
		err = errors.Join(err, out.Flush())
	}
	n := int64(0)
	for i := range r.Lost {
		if r.Lost[i].Kind != salvage.LostControl {
			n++
		}
	}
	if err == nil && n > 0 {
		err = fmt.Errorf("%s: %s that held objects or deletions cannot be read: %w", r.Path, count(n, "place", "places"), errDamage)
	}
	return err
}

// partOf is what the new store is called until all is in it.
func partOf(dest string) string { return dest + ".part" }

// listOf is the file of what is lost.
func listOf(dest string) string { return dest + ".lost.json" }

// name writes the list of what is lost, and gives the new store, which is in above, its name. The
// list is durable before the store has its name, so a store that is found has its list.
func (r *salvageReport) name(above vfs.FS, withList bool) error {
	name := filepath.Base(r.Dest)
	if withList {
		if err := writeLost(above, listOf(name), r); err != nil {
			return err
		}
		if err := above.SyncDir("."); err != nil { // the list's name
			return err
		}
	}
	if err := above.Rename(partOf(name), name); err != nil {
		return err
	}
	return above.SyncDir(".") // the store's name, before anybody is told that it is there
}

// salvageable refuses a store that is being written to, and a destination that is
// there.
func (a *app) salvageable(dir, dest, list string) error {
	live, err := writerLives(dir)
	if err != nil {
		return err
	}
	if live {
		return fmt.Errorf("%s: %w by another process; close it there", dir, store.ErrLocked)
	}
	if _, err := os.Stat(list); !a.json && !errors.Is(err, fs.ErrNotExist) {
		return usagef("%s: is there already; name another destination", list)
	}
	if _, err := os.Lstat(partOf(dest)); !errors.Is(err, fs.ErrNotExist) {
		return usagef("%s: is left over from a salvage that was cut off; remove it, or name another destination", partOf(dest))
	}
	// A new store must not pass for whole before it is, so it gets its name by a rename,
	// which no folder that is there can be the goal of, let alone a mount point or ".".
	switch info, err := os.Lstat(dest); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return usagef("%s: is there already; --salvage makes a new folder: name one in it, such as %s", dest, filepath.Join(dest, "salvaged"))
	}
	return usagef("%s: is there already, and no folder; --salvage makes a new one", dest)
}

// destination opens the new store: take puts an object into it, and done closes it, with
// what the work ended with. Of a dry run both do nothing.
func (a *app) destination(dest string, dryRun bool) (take func(store.Object) error, done func(error) error, err error) {
	if dryRun {
		return func(store.Object) error { return nil }, func(err error) error { return err }, nil
	}
	db, err := store.Open(dest, nil)
	if err != nil {
		return nil, nil, err
	}
	in := a.newIntake(db, store.DefaultSegmentSize, false)
	return in.add, func(err error) error { return errors.Join(in.finish(err), db.Close()) }, nil
}

// object takes an object over, as far as a store takes it from outside.
func (r *salvageReport) object(o *salvage.Object, take func(store.Object) error) error {
	if o.Expiry != 0 {
		if o.Expiry <= time.Now().UnixNano() {
			r.Expired++
			return nil
		}
		r.WithoutExpiry++
	}
	if len(o.Slots) > 0 {
		r.WithoutSlots++
	}
	if o.MayBeStale {
		r.Stale = append(r.Stale, staleKey{strconv.Quote(string(o.Key)), append([]byte{}, o.Key...), o.Seq})
	}
	x := o.Object
	x.Seq = 0 // the new store gives its own
	return take(x)
}

// writeLost writes the report to a file of its own, which must not be there.
func writeLost(above vfs.FS, name string, r *salvageReport) (err error) {
	f, err := above.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(io.NewOffsetWriter(f, 0))
	if err := writeJSON(w, r); err != nil {
		return err
	}
	return errors.Join(w.Flush(), f.Sync()) // the list, before its name is made durable
}

// write writes the report for people.
func (r *salvageReport) write(out io.Writer, list string, dryRun bool) {
	what := "written to " + r.Dest
	if dryRun {
		what = "can be read"
	}
	fmt.Fprintf(out, "%s: %s, %s, %s\n", r.Path, count(r.Objects-r.Expired, "object", "objects"), units.Human(r.Bytes), what)
	fmt.Fprintf(out, "%s of puts and deletions found, %d lost; the last one found is %d\n",
		count(int64(r.Numbers), "sequence number", "sequence numbers"), r.LostNumbers, r.LastSeq)
	if r.LostObjects > 0 {
		fmt.Fprintf(out, "%s not there, since the newest version is lost\n", count(r.LostObjects, "key is", "keys are"))
	}
	if r.MayBeStale > 0 {
		fmt.Fprintf(out, "%s may be older than what is lost of unknown keys\n", count(r.MayBeStale, "object", "objects"))
	}
	for _, n := range []struct {
		n    int64
		text string
	}{{r.Expired, "had expired, and left out"}, {r.WithoutExpiry, "lost the time of expiry"}, {r.WithoutSlots, "lost the slots"}} {
		if n.n > 0 {
			fmt.Fprintf(out, "%s %s\n", count(n.n, "object", "objects"), n.text)
		}
	}
	r.writeLosses(out)
	if !dryRun {
		fmt.Fprintf(out, "all of this is in %s\n", list)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(out, "note: %s: %s\n", n.File, n.Text)
	}
}

// writeLosses writes the first losses as a table.
func (r *salvageReport) writeLosses(out io.Writer) {
	if len(r.Lost) == 0 {
		fmt.Fprintln(out, "nothing is lost")
		return
	}
	const most = 20
	fmt.Fprintln(out)
	t := table.New("lost", "file", "offset", "bytes", "key", "numbers", "reason")
	for i := range r.Lost[:min(most, len(r.Lost))] {
		l := &r.Lost[i]
		file, key := l.File, "-"
		if file == "" {
			file = segmentName(l.Segment)
		}
		if l.Kind == salvage.LostPut {
			key = someKeys([][]byte{l.KeyBytes})
		}
		t.Row(l.Kind, file, l.Offset, l.Bytes, key, lossNumbers(l), l.Reason)
	}
	t.Write(out)
	if n := len(r.Lost) - most; n > 0 {
		fmt.Fprintf(out, "and %d more\n", n)
	}
	fmt.Fprintln(out)
}

// lossNumbers writes the sequence numbers of a loss.
func lossNumbers(l *salvage.Loss) string {
	if l.FirstSeq != 0 && l.LastSeq == 0 {
		return fmt.Sprintf("from %d on", l.FirstSeq)
	}
	return numbers(&integrity.Finding{FirstSeq: l.FirstSeq, LastSeq: l.LastSeq})
}
