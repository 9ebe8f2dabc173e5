package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/archiver/target"
)

func (a *app) archiveInitCommand() *cobra.Command {
	var to []string
	var force bool
	c := &cobra.Command{
		Use:   "init --to URL",
		Short: "Make an archive, once",
		Long: `Make a folder or a bucket an archive: it gets an identity, which every receipt names.
For a folder, it is made where it is absent; the folder above it must be there. One that is
an archive already stays the one that it is. A folder, or a prefix in a bucket, that holds
something else is refused, and a folder in a store or around it. With --force what an archive
holds may be there, without the identity, which is lost: it gets a new one, and all is
shipped again.

With --json it prints one object for each archive: url, id, made.`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			targets, err := a.openTargets(ctx, to, true, force)
			if err != nil {
				return err
			}
			for _, t := range targets {
				id, err := target.Identify(ctx, t)
				if err != nil {
					return archiveError(err)
				}
				if err := a.printIdentity(t.URL(), id); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&force, "force", false, "also where only the objects of an archive are that lost its identity")
	c.Flags().StringArrayVar(&to, "to", nil, "the archive's URL; may be given several times")
	return c
}

func (a *app) printIdentity(url string, id target.Identity) error {
	if a.json {
		return a.printJSON(struct {
			URL string `json:"url"`
			target.Identity
		}{url, id})
	}
	_, err := fmt.Fprintf(a.out, "%s is archive %s, made %v\n", url, id.ID, id.Made)
	return err
}
