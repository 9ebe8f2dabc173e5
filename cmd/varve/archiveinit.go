package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/archiver"
)

func (a *app) archiveInitCommand() *cobra.Command {
	var to []string
	c := &cobra.Command{
		Use:   "init --to URL",
		Short: "Make an archive, once",
		Long: `Make a folder or a bucket an archive: it gets an identity, which every receipt names.
For a folder, it is made where it is absent; the folder above it must be there. One that is
an archive already stays the one that it is.

With --json it prints one object for each archive: url, id, made.`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			targets, err := a.openTargets(ctx, to, true)
			if err != nil {
				return err
			}
			for _, t := range targets {
				id, err := archiver.Identify(ctx, t)
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
	c.Flags().StringArrayVar(&to, "to", nil, "the archive's URL; may be given several times")
	return c
}

func (a *app) printIdentity(url string, id archiver.Identity) error {
	if a.json {
		return a.printJSON(struct {
			URL string `json:"url"`
			archiver.Identity
		}{url, id})
	}
	_, err := fmt.Fprintf(a.out, "%s is archive %s, made %v\n", url, id.ID, id.Made)
	return err
}
