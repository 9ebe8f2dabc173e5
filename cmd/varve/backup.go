package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/segment"
)

const backupHelp = `Name states of a store that an archive keeps. A backup is a list of segments that are in the
archive already, so to make one costs what was written since the last, and any number of
them share what they have in common. Ids only grow.

varve restore --backup ID brings one back; it needs none for the newest state, or for any
moment in between that prune has kept.`

func (a *app) backupCommand() *cobra.Command {
	c := group("backup", "Make, list, verify and prune backups in an archive", backupHelp)
	c.AddCommand(a.backupCreateCommand(), a.backupListCommand(), a.backupShowCommand(),
		a.backupVerifyCommand(), a.backupDeleteCommand(), a.backupPruneCommand())
	return c
}

// catalogFlags name a store in an archive.
type catalogFlags struct {
	url   string
	store string
}

func (c *catalogFlags) register(f *pflag.FlagSet) {
	f.StringVar(&c.url, "from", "", "the archive's URL")
	f.StringVar(&c.store, "store", "", "the UUID of the store, where the archive holds several")
}

// open opens the archive and finds the store.
func (c *catalogFlags) open(ctx context.Context) (*archive.Archive, segment.UUID, error) {
	if c.url == "" {
		return nil, segment.UUID{}, usagef("which archive? give --from URL, such as file:///backup or s3://bucket/prefix")
	}
	t, err := openTarget(ctx, c.url, false)
	if err != nil {
		return nil, segment.UUID{}, err
	}
	arc, err := openArchive(ctx, t)
	if err != nil {
		return nil, segment.UUID{}, archiveError(err)
	}
	uuid, err := storeOf(ctx, arc, c.store)
	return arc, uuid, err
}

// catalogCommand completes a command that works on the backups of one store.
func (a *app) catalogCommand(c *cobra.Command, flags *catalogFlags, fn func(ctx context.Context, arc *archive.Archive, uuid segment.UUID, args []string) error) *cobra.Command {
	flags.register(c.Flags())
	c.ValidArgsFunction = noFiles
	c.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := interruptible(cmd.Context())
		defer stop()
		arc, uuid, err := flags.open(ctx)
		if err == nil {
			err = fn(ctx, arc, uuid, args)
		}
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return cause
		}
		return archiveError(err)
	}
	return c
}

// backupID reads the id of a backup as an argument.
func backupID(s string) (uint64, error) {
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil || id == 0 {
		return 0, usagef("%q is no id of a backup: want a number from 1 on; varve backup list shows them", s)
	}
	return id, nil
}

// metaText writes a backup's metadata in order of key.
func metaText(meta map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		parts = append(parts, printable(k)+"="+printable(meta[k]))
	}
	return strings.Join(parts, " ")
}

// printable quotes what would not stand as one word on a line.
func printable(s string) string {
	if q := strconv.Quote(s); q != `"`+s+`"` || strings.ContainsAny(s, " =") {
		return q
	}
	return s
}

// nsTime is a time of the log for people.
func nsTime(ns int64) string {
	if ns == 0 {
		return "-"
	}
	return time.Unix(0, ns).UTC().Format(time.RFC3339Nano)
}

func (a *app) backupDeleteCommand() *cobra.Command {
	var flags catalogFlags
	return a.catalogCommand(&cobra.Command{
		Use:   "delete --from URL ID...",
		Short: "Delete backups",
		Long: `Delete backups by id. Their segments stay until varve backup prune finds that nothing else
needs them. An id is not used again.

With --json it prints one object for each: store, id, deleted.`,
		Args: cobra.MinimumNArgs(1),
	}, &flags, func(ctx context.Context, arc *archive.Archive, uuid segment.UUID, args []string) error {
		var ids []uint64
		for _, arg := range args {
			id, err := backupID(arg)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		for _, id := range ids {
			if err := arc.DeleteBackup(ctx, uuid, id); err != nil {
				return err
			}
			if err := a.printDeleted(uuid, id); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *app) printDeleted(uuid segment.UUID, id uint64) error {
	if a.json {
		return a.printJSON(struct {
			Store   segment.UUID `json:"store"`
			ID      uint64       `json:"id"`
			Deleted bool         `json:"deleted"`
		}{uuid, id, true})
	}
	_, err := fmt.Fprintf(a.out, "backup %d deleted\n", id)
	return err
}
