package main

import (
	"github.com/spf13/cobra"
	"github.com/varve-db/varve/store"
)

func (a *app) delCommand() *cobra.Command {
	var w writeFlags
	var k keyFlag
	cmd := &cobra.Command{
		Use:   "del KEY",
		Short: "Delete a key",
		Long: `Delete KEY. That it is not there is said on standard error, and is no failure.

With --json it prints key or key_b64, and found: whether the key was there.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: noFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := k.key(args[0])
			if err != nil {
				return err
			}
			found := false
			err = a.withWriter(w.options(), func(db *store.DB) (err error) {
				if found, err = db.Has(key); err != nil || !found {
					return err
				}
				return db.Delete(key)
			})
			if err != nil {
				return err
			}
			if !found {
				a.warn("%q: not found, nothing to delete", key)
			}
			if !a.json {
				return nil
			}
			l := a.line()
			l.Bytes("key", key)
			l.Bool("found", found)
			return l.Flush()
		},
	}
	w.register(cmd.Flags())
	k.register(cmd)
	return cmd
}
