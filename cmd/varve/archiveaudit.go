package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/audit"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/cmd/varve/internal/table"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

const auditHelp = `Prove that every sealed segment that the store ever named is in the archive exactly once:
one object and one receipt, or the marker of a prune, or a gap that was accepted; that sizes
and hashes of objects agree with the receipts, and sizes of the store's segments; that nothing
else is on the store's chain; and that the sequence numbers of its logs have no gap. Other
tips, of copies that were written to, are listed. --data reads every byte of the objects and
of the store's segments. Nothing is changed. The exit code is 3 with findings.

A segment that is lost for good is found each time, until the gap is accepted:
--accept-gap ID --reason TEXT leaves a marker in the archive, with the reason, and audits
again. ID is a segment's number, or timeline/number where several have it.

With --json it prints one object: url, id (of the archive), store, timeline, level (hash or
data), segments (that are named), objects, bytes, receipts, gone (pruned), gaps (accepted),
last_seq, complete_until (of the newest heartbeat), findings (kind, segment, problem, next,
gap: the segment that --accept-gap takes), tips (timeline, first, last, segments, bytes),
notes, broken (why the store does not open for writing). Kinds are: not shipped, object is
lost, segment is missing, no receipt, damaged receipt, object differs, object is damaged,
segment differs, extra object, stray receipt, gap in the sequence, given up.`

// archiveFlags name one archive and the receipts of what is in it.
type archiveFlags struct {
	to    string
	state string
}

func (r *archiveFlags) register(f *pflag.FlagSet) {
	f.StringVar(&r.to, "to", "", "the archive's URL")
	f.StringVar(&r.state, "state", "", "the folder given to run and once as --state (default DIR/receipts)")
}

// open opens the store's folder, its receipts and the archive.
func (a *app) openShipped(ctx context.Context, r *archiveFlags) (dir, receipts string, arc *archive.Archive, err error) {
	if r.to == "" {
		return "", "", nil, usagef("which archive? give --to URL, such as file:///backup or s3://bucket/prefix")
	}
	if dir, err = a.storeFolder(); err != nil {
		return "", "", nil, err
	}
	if err = holdsSegments(dir); err != nil {
		return "", "", nil, err
	}
	if receipts, err = receiptsFolder(dir, r.state); err != nil {
		return "", "", nil, err
	}
	t, err := openTarget(ctx, r.to, false)
	if err != nil {
		return "", "", nil, err
	}
	arc, err = openArchive(ctx, t)
	return dir, receipts, arc, archiveError(err)
}

// auditFlags are the flags of archive audit.
type auditFlags struct {
	archiveFlags
	data   bool
	gap    string
	reason string
}

func (a *app) archiveAuditCommand() *cobra.Command {
	var flags auditFlags
	c := &cobra.Command{
		Use:               "audit -d DIR --to URL",
		Short:             "Prove that each segment was shipped exactly once",
		Long:              auditHelp,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (flags.gap == "") != (flags.reason == "") {
				return usagef("--accept-gap ID and --reason TEXT go together: who comes after wants to know why")
			}
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return stopped(ctx, a.audit(ctx, &flags))
		},
	}
	f := c.Flags()
	flags.register(f)
	f.BoolVar(&flags.data, "data", false, "read every byte")
	f.StringVar(&flags.gap, "accept-gap", "", "the segment that is missing for good")
	f.StringVar(&flags.reason, "reason", "", "why it is missing, with --accept-gap")
	return c
}

func (a *app) audit(ctx context.Context, flags *auditFlags) error {
	dir, receipts, arc, err := a.openShipped(ctx, &flags.archiveFlags)
	if err != nil {
		return err
	}
	o := audit.Options{Store: vfs.AsFS(vfs.Dir(dir)), Receipts: receipts}
	if flags.gap != "" {
		rep, err := audit.Run(ctx, arc, o)
		if err != nil {
			return archiveError(err)
		}
		ref, err := gapOf(rep, flags.gap)
		if err == nil {
			err = arc.AcceptGap(ctx, rep.Store, ref, flags.reason)
		}
		if errors.Is(err, target.ErrExists) {
			return &usageError{err}
		}
		if err != nil {
			return archiveError(err)
		}
	}
	if o.Data = flags.data; o.Data {
		o.OnRead = a.meter("auditing", -1).Add
	}
	rep, err := audit.Run(ctx, arc, o)
	a.bar.Finish()
	if err != nil {
		return archiveError(err)
	}
	return a.printAudit(rep)
}

// gapOf returns the segment that is missing and that a user names, by its number or in full.
func gapOf(rep *audit.Report, name string) (ref segment.Ref, err error) {
	if ref.UnmarshalText([]byte(name)) == nil {
		return ref, nil
	}
	id, err := strconv.ParseUint(name, 10, 64)
	if err != nil {
		return ref, usagef("--accept-gap %s: want the number of a segment, or timeline/number as the audit prints it", name)
	}
	found := map[segment.Ref]bool{}
	for _, f := range rep.Findings {
		missing := f.Kind == audit.Lost || f.Kind == audit.Missing
		if missing && f.Segment.ID == segment.ID(id) {
			found[f.Segment] = true
			ref = f.Segment
		}
	}
	switch len(found) {
	case 0:
		return ref, usagef("--accept-gap %s: the audit finds no such segment missing; write it in full, timeline/number, to accept a gap in the sequence", name)
	case 1:
		return ref, nil
	}
	return ref, usagef("--accept-gap %s: several timelines have a segment of that number; write it in full, timeline/number", name)
}

// printAudit prints the report, and makes an error of findings.
func (a *app) printAudit(rep *audit.Report) error {
	for i := range rep.Findings {
		f := &rep.Findings[i]
		f.Next = segment.Remedy(commandFor(f.Next, f.Gap.String()))
	}
	var err error
	if a.json {
		err = a.printJSON(rep)
	} else {
		out := a.page()
		writeAudit(out, rep)
		err = out.Flush()
	}
	if rep.Broken != "" {
		err = errors.Join(err, fmt.Errorf("%w: %s", errDamage, rep.Broken))
	}
	if n := int64(len(rep.Findings)); n > 0 {
		err = errors.Join(err, fmt.Errorf("%s: %s, %w: %s", rep.URL, count(n, "finding", "findings"), errFindings, kindsOf(rep.Findings)))
	}
	return err
}

// kindsOf names the kinds of findings, each once.
func kindsOf(found []audit.Finding) string {
	var kinds []string
	for _, f := range found {
		if !slices.Contains(kinds, f.Kind) {
			kinds = append(kinds, f.Kind)
		}
	}
	return strings.Join(kinds, ", ")
}

// writeAudit writes the report for people.
func writeAudit(out io.Writer, rep *audit.Report) {
	fmt.Fprintf(out, "store %v, up to sequence number %d\n", rep.Store, rep.LastSeq)
	fmt.Fprintf(out, "%s: %s named, %s of %s, %s", rep.URL, count(int64(rep.Segments), "segment", "segments"),
		count(int64(rep.Objects), "object", "objects"), units.Human(rep.Bytes), count(int64(rep.Receipts), "receipt", "receipts"))
	if rep.Gone > 0 {
		fmt.Fprintf(out, "; %d pruned", rep.Gone)
	}
	if rep.Gaps > 0 {
		fmt.Fprintf(out, "; %s accepted", count(int64(rep.Gaps), "gap", "gaps"))
	}
	fmt.Fprintln(out)
	if !rep.Complete.IsZero() {
		fmt.Fprintf(out, "complete up to %s, by the newest heartbeat\n", rep.Complete.Format(time.RFC3339))
	}
	for _, t := range rep.Tips {
		fmt.Fprintln(out, unreadText("another tip", t))
	}
	for _, n := range rep.Notes {
		fmt.Fprintf(out, "note: %s\n", n)
	}
	if len(rep.Findings) == 0 && rep.Broken == "" {
		what := map[string]string{"hash": "sizes and hashes agree", "data": "every byte agrees"}[rep.Level]
		fmt.Fprintf(out, "each segment is there exactly once; %s\n", what)
		return
	}
	if len(rep.Findings) == 0 {
		return
	}
	fmt.Fprintln(out)
	t := table.New("SEGMENT", "FINDING", "WHAT")
	for _, f := range rep.Findings {
		t.Row(f.Segment, f.Kind, fmt.Sprintf("%s; %s", f.Problem, f.Next))
	}
	t.Write(out)
}
