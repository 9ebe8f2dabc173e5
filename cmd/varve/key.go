package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/segment"
)

// keyFlag says how keys are given as arguments.
type keyFlag struct{ quoted bool }

func (k *keyFlag) register(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&k.quoted, "quoted", "q", false, "keys may be quoted, as scan prints them")
}

// bytes returns the bytes that an argument stands for: its own, or with --quoted
// those of the Go string that it quotes, if it does.
func (k *keyFlag) bytes(arg string) ([]byte, error) {
	if !k.quoted || !strings.HasPrefix(arg, `"`) {
		return []byte(arg), nil
	}
	s, err := strconv.Unquote(arg)
	if err != nil {
		return nil, usagef("%s is no quoted string", arg)
	}
	return []byte(s), nil
}

// key is bytes for an argument that must be a key.
func (k *keyFlag) key(arg string) ([]byte, error) {
	key, err := k.bytes(arg)
	if err == nil && (len(key) == 0 || len(key) > segment.MaxKey) {
		err = usagef("a key of %d bytes: it must have 1 to %d", len(key), segment.MaxKey)
	}
	return key, err
}
