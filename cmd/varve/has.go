package main

import (
	"github.com/spf13/cobra"
	"github.com/varve-db/varve/store"
)

func (a *app) hasCommand() *cobra.Command {
	var k keyFlag
	var from sourceFlags
	cmd := &cobra.Command{
		Use:   "has KEY",
		Short: "Say by the exit code whether a key is there",
		Long: `Exit with 0 if KEY is there, and with 1 if it is not. The value is not read.

` + inPlaceHelp + `

With --json it prints key or key_b64, and found.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := k.key(args[0])
			if err != nil {
				return err
			}
			return a.withObjects(cmd, &from, func(db objects) error {
				found, err := db.Has(key)
				if err != nil {
					return err
				}
				if a.json {
					l := a.line()
					l.Bytes("key", key)
					l.Bool("found", found)
					if err := l.Flush(); err != nil {
						return err
					}
				}
				if !found {
					return missing(key, store.ErrNotFound)
				}
				return nil
			})
		},
	}
	k.register(cmd)
	from.register(cmd.Flags())
	return cmd
}
