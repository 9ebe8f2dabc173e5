package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/backup"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/segment"
)

const backupVerifyHelp = `Verify a backup, the newest if no id is given: of every segment that it needs, that it is
there, is the segment that it should be, ends as it was sealed, and, where the archive knows
hashes without reading, that sizes and hashes add up to the digest that the backup was
made with. A folder knows none: --data reads every byte. What is bad is named, and the
exit code is 3.

It looks at nothing that this backup does not need, and names the tips whose newest state the
backup does not pin: varve restore --verify-only --timeline T reads one.

With --json it prints one object: backup, segments, bytes, level (what was compared: size,
hash or data), bad (segment, object, problem), digest (same, other, or unknown), and where
there are such tips, unread (timeline, first, last, segments, bytes).`

func (a *app) backupVerifyCommand() *cobra.Command {
	var flags catalogFlags
	var o backup.VerifyOptions
	c := a.catalogCommand(&cobra.Command{
		Use:   "verify --from URL [ID]",
		Short: "Verify what a backup needs",
		Long:  backupVerifyHelp,
		Args:  cobra.MaximumNArgs(1),
	}, &flags, func(ctx context.Context, arc *archive.Archive, uuid segment.UUID, args []string) error {
		if o.Parallel < 1 {
			return usagef("--parallel must be more than nothing")
		}
		b, err := oneBackup(ctx, arc, uuid, args)
		if err != nil {
			return err
		}
		return a.verifyBackup(ctx, arc, b, o)
	})
	c.Flags().BoolVar(&o.Data, "data", false, "read every byte")
	c.Flags().IntVar(&o.Parallel, "parallel", 4, "segments that are looked at a time")
	return c
}

func (a *app) verifyBackup(ctx context.Context, arc *archive.Archive, b *archive.Backup, o backup.VerifyOptions) error {
	if o.Data {
		o.OnRead = a.meter("verifying", b.Bytes).Add
	}
	rep, err := backup.Verify(ctx, arc, b, o)
	a.bar.Finish()
	if err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(rep)
	} else {
		err = a.printVerified(rep)
	}
	if err != nil || rep.OK() {
		return err
	}
	if len(rep.Bad) == 0 {
		return fmt.Errorf("backup %d: %w: sizes and hashes are not those that it was made with; --data, or varve archive audit, tells more", b.ID, errDamage)
	}
	return fmt.Errorf("backup %d: %w: %s of %d; varve archive repair puts them back from the store", b.ID, errDamage,
		count(int64(len(rep.Bad)), "segment is bad", "segments are bad"), rep.Segments)
}

func (a *app) printVerified(rep *backup.VerifyReport) error {
	for _, bad := range rep.Bad {
		fmt.Fprintf(a.out, "%s: %s\n", bad.Object, bad.Problem)
	}
	what := map[string]string{
		"size": "sizes agree; the archive knows no hashes without reading: --data compares them",
		"hash": "sizes and hashes agree",
		"data": "every byte agrees",
	}[rep.Level]
	if !rep.OK() {
		what = "not sound"
	}
	_, err := fmt.Fprintf(a.out, "backup %d: %s, %s: %s\n", rep.Backup, count(int64(rep.Segments), "segment", "segments"), units.Human(rep.Bytes), what)
	return errors.Join(err, a.printUnread(rep.Unread))
}
