package main

import (
	"bufio"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/cmd/varve/internal/terminal"
	"github.com/varve-db/varve/internal/jsonpack"
	"github.com/varve-db/varve/store"
)

func (a *app) getCommand() *cobra.Command {
	var k keyFlag
	raw := false
	var from sourceFlags
	cmd := &cobra.Command{
		Use:   "get KEY",
		Short: "Print the value of a key",
		Long: `Print the value of KEY, byte for byte. A key that is not there is exit code 1.

On a terminal a msgpack value, such as load stores, is printed as scan prints it: as
JSON, if JSON says it exactly. --raw prints the bytes there, too.

` + inPlaceHelp + `

` + objectHelp,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := k.key(args[0])
			if err != nil {
				return err
			}
			if raw && a.json {
				return usagef("--raw and --json: give one of them")
			}
			return a.withObjects(cmd, &from, func(db objects) error {
				o, err := db.GetObject(key)
				if err != nil {
					return missing(key, err)
				}
				out := bufio.NewWriter(a.out)
				switch {
				case a.json:
					objectLine(jsonpack.NewLine(out), &o)
				case o.Content == store.Msgpack && !raw && terminal.Is(a.out.file):
					writeValue(out, &o)
					_ = out.WriteByte('\n')
				default:
					_, _ = out.Write(o.Value)
				}
				return out.Flush()
			})
		},
	}
	k.register(cmd)
	cmd.Flags().BoolVar(&raw, "raw", false, "print the bytes of a msgpack value on a terminal, too")
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
