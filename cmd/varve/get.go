package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/store"
)

func (a *app) getCommand() *cobra.Command {
	var k keyFlag
	var from sourceFlags
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
			return a.withObjects(cmd, &from, func(db objects) error {
				o, err := db.GetObject(key)
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
	from.register(cmd.Flags())
	return cmd
}

// missing names the key that is not there.
func missing(key []byte, err error) error {
	if err == store.ErrNotFound {
		return fmt.Errorf("%q: %w", key, err)
	}
	return err
}
