package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/backup"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/restore"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/check"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// drillHelp is a part of restore's help.
const drillHelp = `--verify-only is a drill: the store is restored into a folder in --scratch DIR, every byte of
it checked, what a backup pins compared with the digest that the backup was made with, and
the folder removed. What drills that were killed left there is removed first. With -d DIR, or --state DIR as given to archive run, the time of the
success is kept there, for archive status and the metric
varve_archiver_last_drill_timestamp_seconds. It prints, with --json: url, store, seq, time, segments,
bytes, objects, backup (whose digest was compared; 0: none), recorded, took_ns, and where there are
tips whose newest state it did not read, unread (timeline, first, last, segments, bytes).`

// drillFlags are the flags of a restore that is a drill.
type drillFlags struct {
	only    bool
	scratch string
	state   string
}

func (d *drillFlags) register(f *pflag.FlagSet) {
	f.BoolVar(&d.only, "verify-only", false, "restore to scratch, check every byte, and remove it: a drill")
	f.StringVar(&d.scratch, "scratch", "", "the folder for the drill, with room for the store (default that for temporary files)")
	f.StringVar(&d.state, "state", "", "where the drill's success is kept: the folder given to archive run as --state (default DIR/receipts)")
}

// drilled is what a drill prints.
type drilled struct {
	URL      string        `json:"url"`
	Store    segment.UUID  `json:"store"`
	Seq      uint64        `json:"seq"`
	Time     time.Time     `json:"time"`
	Segments int           `json:"segments"`
	Bytes    int64         `json:"bytes"`
	Objects  int64         `json:"objects"`
	Backup   uint64        `json:"backup"`
	Recorded bool          `json:"recorded"`
	Took     time.Duration `json:"took_ns"`

	Unread []archive.Tip `json:"unread,omitempty"` // tips whose newest state was not read
}

// drill restores a plan to scratch, proves what came back, and removes it.
func (a *app) drill(ctx context.Context, arc *archive.Archive, d *drillFlags, o restore.Options) (err error) {
	began := time.Now()
	receipts, err := a.drillState(d)
	if err != nil {
		return err
	}
	b, err := drillBackup(ctx, arc, o.Plan)
	if err != nil {
		return archiveError(err)
	}
	scratch, release, err := newScratch(cmp.Or(d.scratch, os.TempDir()))
	if err != nil {
		return nextStep(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch), release()) }()
	rep, err := a.fetch(ctx, arc, filepath.Join(scratch, "store"), o)
	if err != nil {
		return err
	}
	out := drilled{URL: arc.Target().URL(), Store: rep.Store, Seq: rep.Seq, Time: rep.Time, Segments: rep.Segments, Bytes: rep.Bytes}
	if out.Objects, err = a.proveRestored(ctx, rep); err != nil {
		return err
	}
	if b != nil {
		if err := backup.CheckCopy(ctx, b, os.DirFS(rep.Dest)); err != nil {
			return fmt.Errorf("the drill failed: %w", err)
		}
		out.Backup = b.ID
	}
	if out.Unread, err = history.Unread(ctx, arc, out.Store, o.Plan.Refs()); err != nil {
		return archiveError(err)
	}
	if receipts != "" {
		if err := archiver.RecordDrill(receipts, archiver.Drill{Time: time.Now().UTC(), URL: out.URL}); err != nil {
			return nextStep(err)
		}
		out.Recorded = true
	}
	out.Took = time.Since(began)
	return a.printDrill(&out)
}

// drillState is where the success is kept; empty if nobody said.
func (a *app) drillState(d *drillFlags) (string, error) {
	if a.dir == "" || d.state != "" {
		return d.state, nil
	}
	dir, err := a.storeFolder()
	if err != nil {
		return "", err
	}
	return receiptsFolder(dir, "")
}

// drillBackup returns the backup whose digest the restored store is held against: the one
// that was asked for, or the newest that is a part of the plan. Nil: there is none.
func drillBackup(ctx context.Context, arc *archive.Archive, p *history.Plan) (*archive.Backup, error) {
	if p.Backup != 0 {
		return arc.Backup(ctx, p.Store, p.Backup)
	}
	all, err := arc.Backups(ctx, p.Store)
	if err != nil {
		return nil, err
	}
	whole := map[segment.Ref]bool{}
	for _, s := range p.Segments {
		whole[s.Ref] = true
	}
	for _, b := range slices.Backward(all) {
		if !slices.ContainsFunc(b.Refs(), func(r segment.Ref) bool { return !whole[r] }) {
			return b, nil
		}
	}
	return nil, nil
}

// fetch restores into the scratch folder.
func (a *app) fetch(ctx context.Context, arc *archive.Archive, dest string, o restore.Options) (*restore.Report, error) {
	bar := a.meter("drill", o.Plan.Bytes())
	last := int64(0)
	o.Progress = func(p restore.Progress) {
		bar.Add(p.Bytes - last)
		last = p.Bytes
	}
	rep, err := restore.Run(ctx, arc, dest, o)
	bar.Finish()
	if err != nil {
		return nil, fmt.Errorf("the drill failed: %w", archiveError(stopped(ctx, err)))
	}
	return rep, nil
}

// proveRestored checks every byte of the restored store, opens it as its user would, and
// returns how many objects it has.
func (a *app) proveRestored(ctx context.Context, rep *restore.Report) (int64, error) {
	bar := a.meter("checking", -1)
	check, err := check.Run(ctx, vfs.AsFS(vfs.Dir(rep.Dest)), check.Options{
		Level: integrity.Full, Progress: func(n, _ int64) { bar.Add(n) }})
	bar.Finish()
	if err != nil {
		return 0, fmt.Errorf("the drill failed: %w", stopped(ctx, err))
	}
	if n := int64(len(check.Findings)); n > 0 {
		return 0, fmt.Errorf("the drill failed: %s in what was restored, the first: %s: %s: %w",
			count(n, "finding", "findings"), check.Findings[0].File, check.Findings[0].Reason, errDamage)
	}
	r, err := store.OpenReadOnly(rep.Dest, nil)
	if err != nil {
		return 0, fmt.Errorf("the drill failed: %w", nextStep(err))
	}
	opened := r.OpenReport()
	if err := r.Close(); err != nil {
		return 0, err
	}
	if opened.LastSeq != rep.Seq || !opened.Clean {
		return 0, fmt.Errorf("the drill failed: the restored store ends with sequence number %d, want %d: %w", opened.LastSeq, rep.Seq, errDamage)
	}
	return opened.Objects, nil
}

func (a *app) printDrill(d *drilled) error {
	if a.json {
		return a.printJSON(d)
	}
	with := "no backup to compare with"
	if d.Backup != 0 {
		with = fmt.Sprintf("the digest is that of backup %d", d.Backup)
	}
	_, err := fmt.Fprintf(a.out, "%s: restored to sequence number %d, %s, in scratch, checked and removed: %s in %s, %s; every byte agrees; %s\n",
		d.URL, d.Seq, d.Time.Format(time.RFC3339), count(d.Objects, "object", "objects"), count(int64(d.Segments), "segment", "segments"), units.Human(d.Bytes), with)
	if err == nil && !d.Recorded {
		_, err = fmt.Fprintln(a.out, "the time of this drill is kept nowhere: -d DIR or --state DIR says where")
	}
	return errors.Join(err, a.printUnread(d.Unread))
}
