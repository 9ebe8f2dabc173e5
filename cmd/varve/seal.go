package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/store"
)

func (a *app) sealCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "seal",
		Short: "End the present log and seal it",
		Long: `End the log that is being appended to and seal it: all objects are then in files
that never change again. A log without objects has nothing to seal.

With --json it prints sealed: whether there was anything to seal.`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(*cobra.Command, []string) error {
			return a.withWriter(&store.Options{MustExist: true}, func(db *store.DB) error {
				sealed, err := db.Seal()
				if err != nil {
					return err
				}
				if a.json {
					l := a.line()
					l.Bool("sealed", sealed)
					return l.Flush()
				}
				what := "nothing to do: the log holds no objects"
				if sealed {
					what = "sealed"
				}
				_, err = fmt.Fprintln(a.out, what)
				return err
			})
		},
	}
}
