package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/cmd/varve/internal/table"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/segment"
)

const backupListHelp = `List the backups of a store: id, time, the last sequence number, objects (old versions
included), bytes, bytes that the backup before did not have, metadata. A manifest that
cannot be read is named, and so are the backups and the newest states of timelines that
cannot be restored since the archive lacks segments; the exit code is then 3.

With --json it prints an object for each backup, as create does, without url, and with
missing (segments) where there are such.`

func (a *app) backupListCommand() *cobra.Command {
	var flags catalogFlags
	return a.catalogCommand(&cobra.Command{
		Use:   "list --from URL",
		Short: "List the backups of a store",
		Long:  backupListHelp,
		Args:  cobra.NoArgs,
	}, &flags, func(ctx context.Context, arc *archive.Archive, uuid segment.UUID, _ []string) error {
		backups, err := arc.Backups(ctx, uuid)
		holes, herr := history.Holes(ctx, arc, uuid, backups)
		err = errors.Join(a.printBackups(backups, holes), err, herr)
		for _, hole := range holes {
			err = errors.Join(err, hole)
		}
		return err
	})
}

func (a *app) printBackups(backups []*archive.Backup, holes []*history.MissingError) error {
	if a.json {
		missing := map[uint64][]segment.Ref{}
		for _, hole := range holes {
			missing[hole.Point.Backup] = hole.Missing
		}
		for _, b := range backups {
			err := a.printJSON(struct {
				*archive.Backup
				Missing []segment.Ref `json:"missing,omitempty"`
			}{b, missing[b.ID]})
			if err != nil {
				return err
			}
		}
		return nil
	}
	t := table.New("id", "time", "seq", "objects", "bytes", "own", "meta")
	for _, b := range backups {
		t.Row(b.ID, b.Time.Format(time.RFC3339), b.Seq, b.Objects, units.Human(b.Bytes), units.Human(b.OwnBytes), metaText(b.Meta))
	}
	t.Write(a.out)
	return a.out.err
}

func (a *app) backupShowCommand() *cobra.Command {
	var flags catalogFlags
	return a.catalogCommand(&cobra.Command{
		Use:   "show --from URL [ID]",
		Short: "Show a backup, the newest if no id is given",
		Long: `Show what is known of a backup, and the segments that it needs.

With --json it prints one object, as create does, without url.`,
		Args: cobra.MaximumNArgs(1),
	}, &flags, func(ctx context.Context, arc *archive.Archive, uuid segment.UUID, args []string) error {
		b, err := oneBackup(ctx, arc, uuid, args)
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(b)
		}
		return a.printBackup(b)
	})
}

// oneBackup reads the backup that an argument names, or the newest.
func oneBackup(ctx context.Context, arc *archive.Archive, uuid segment.UUID, args []string) (*archive.Backup, error) {
	id := uint64(0)
	if len(args) > 0 {
		var err error
		if id, err = backupID(args[0]); err != nil {
			return nil, err
		}
	}
	return arc.Backup(ctx, uuid, id)
}

func (a *app) printBackup(b *archive.Backup) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "backup\t%d\n", b.ID)
	fmt.Fprintf(w, "store\t%v\n", b.Store)
	fmt.Fprintf(w, "made\t%s\n", b.Time.Format(time.RFC3339Nano))
	fmt.Fprintf(w, "newest log\t%v\n", b.Tip)
	fmt.Fprintf(w, "last commit\tsequence number %d, %s\n", b.Seq, nsTime(b.LogTime))
	fmt.Fprintf(w, "objects\t%d, old versions included\n", b.Objects)
	fmt.Fprintf(w, "bytes\t%d, %d of its own\n", b.Bytes, b.OwnBytes)
	fmt.Fprintf(w, "digest\t%v\n", b.Digest)
	if len(b.Meta) > 0 {
		fmt.Fprintf(w, "meta\t%s\n", metaText(b.Meta))
	}
	fmt.Fprintf(w, "segments\t%d\n", b.Count())
	for _, r := range b.Segments {
		fmt.Fprintf(w, "\t%v\n", r)
	}
	return w.Flush()
}
