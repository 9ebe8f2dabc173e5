package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/internal/jsonpack"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

func (a *app) putCommand() *cobra.Command {
	var w writeFlags
	var k keyFlag
	cmd := &cobra.Command{
		Use:   "put KEY [VALUE|-]",
		Short: "Store a value under a key",
		Long: `Store VALUE under KEY, in place of what is there. Without VALUE, or with -, the
value is what stands on standard input, byte for byte, up to 1 GiB.

When put is done the object is on the disk.
With --json it prints key or key_b64, and size: bytes of the value.`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: noFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			key, err := k.key(args[0])
			if err != nil {
				return err
			}
			value, err := a.value(args[1:])
			if err != nil {
				return err
			}
			if err := a.withWriter(w.options(), func(db *store.DB) error { return db.Put(key, value) }); err != nil || !a.json {
				return err
			}
			l := a.line()
			l.Bytes("key", key)
			l.Int("size", int64(len(value)))
			return l.Flush()
		},
	}
	w.register(cmd.Flags())
	k.register(cmd)
	return cmd
}

// value returns the value that the arguments give, or standard input.
func (a *app) value(args []string) ([]byte, error) {
	if len(args) > 0 && args[0] != "-" {
		return []byte(args[0]), nil
	}
	value, err := readValue(a.in)
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return value, nil
}

// readValue reads a value of a size that is not known. What has been read is never copied but
// once, at the end.
func readValue(r io.Reader) ([]byte, error) {
	var parts [][]byte
	total := 0
	for size := 4 << 10; ; size = min(2*size, 4<<20) {
		part := make([]byte, size)
		n, err := io.ReadFull(r, part)
		parts = append(parts, part[:n])
		if total += n; total > segment.MaxValue {
			return nil, fmt.Errorf("a value of more than %d bytes: %w", segment.MaxValue, store.ErrTooLarge)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	value := make([]byte, 0, total)
	for _, part := range parts {
		value = append(value, part...)
	}
	clear(parts)
	jsonpack.GiveBack(total)
	return value, nil
}
