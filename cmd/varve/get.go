package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/store"
)

func (a *app) getCommand() *cobra.Command {
	var k keyFlag
	var from pointFlags
	cmd := &cobra.Command{
		Use:   "get KEY",
		Short: "Print the value of a key",
		Long: `Print the value of KEY, byte for byte. A key that is not there is exit code 1.

` + inPlaceHelp + `

` + objectHelp,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := k.key(args[0])
			if err != nil {
				return err
			}
			if from.url != "" || from.given(cmd.Flags()) {
				return a.withArchive(cmd.Context(), &from, cmd.Flags(), func(r *archiver.Reader) error { return a.getFrom(r, key) })
			}
			return a.withReader(func(r *store.Reader) error {
				o, err := r.GetObject(key)
				if err != nil {
					return missing(key, err)
				}
				out := o.Value
				if a.json {
					out = objectLine(new(line), &o)
				}
				_, err = a.out.Write(out)
				return err
			})
		},
	}
	k.register(cmd)
	cmd.Flags().StringVar(&from.url, "from", "", "the URL of an archive to read from")
	from.registerPoint(cmd.Flags())
	return cmd
}

// missing names the key that is not there.
func missing(key []byte, err error) error {
	if err == store.ErrNotFound {
		return fmt.Errorf("%q: %w", key, err)
	}
	return err
}
