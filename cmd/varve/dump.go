package main

import (
	"bufio"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/cmd/varve/internal/quote"
	"github.com/varve-db/varve/cmd/varve/internal/terminal"
	"github.com/varve-db/varve/internal/jsonpack"
	"github.com/varve-db/varve/store"
)

const dumpHelp = `Print all objects as JSON, one a line, so that load makes the very same objects of
the lines again.

A msgpack object one of whose fields is its key is printed as it is, and loads
with --key FIELD; which FIELD, dump says at the end on standard error. Every other
object carries its key beside it, and loads without --key:
  key_b64           the key
  object            the value, if it is a msgpack object that JSON says exactly; or
  value_b64         the value, with "content":"msgpack" if it is that
  meta, meta_b64    what is kept beside the value, if anything: as JSON if it is a
                    msgpack map that JSON says exactly, else base64
Both kinds may stand in one stream. load takes every object that has a field
key_b64 for one of the second kind; so a value with such a field is printed so.

--key FIELD prints only those objects bare whose FIELD is their key, --with-keys none.

` + inPlaceHelp

func (a *app) dumpCommand() *cobra.Command {
	d := dumper{app: a}
	withKeys := false
	var from sourceFlags
	cmd := &cobra.Command{
		Use:               "dump",
		Short:             "Print all objects as lines of JSON, which load takes",
		Long:              dumpHelp,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.never = withKeys
			if cmd.Flags().Changed("key") {
				if err := keyFieldFlag(d.field); err != nil {
					return err
				}
				d.fields, d.chosen = []string{d.field}, true
			}
			return a.withObjects(cmd, &from, d.run)
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.field, "key", "", "print objects bare only if this field is their key")
	f.BoolVar(&withKeys, "with-keys", false, "print no object bare, so that load needs no --key")
	from.register(f)
	cmd.MarkFlagsMutuallyExclusive("key", "with-keys")
	return cmd
}

// dumper is one run of dump.
type dumper struct {
	*app
	field  string
	never  bool     // print no object bare
	fields []string // which all are the key of every object printed bare
	chosen bool     // fields says something: an object was printed bare, or --key given
	bare   int64
}

func (d *dumper) run(db objects) error {
	out := bufio.NewWriterSize(d.out, 64<<10)
	bad := damages{app: d.app}
	var bar *terminal.Meter
	if !terminal.Is(d.out.file) {
		bar = d.meter("dumping", db.liveBytes())
		defer bar.Finish()
	}
	l := jsonpack.NewLine(out)
	for o, err := range db.Scan(store.Range{}) {
		if err != nil {
			if err := bad.note(err); err != nil {
				return errors.Join(err, out.Flush())
			}
			continue
		}
		if !d.asIs(out, &o) {
			l.Wrap(&o)
		}
		if _, err := out.Write(nil); err != nil {
			return err // one that out remembers
		}
		bar.Add(weight(&o))
	}
	bar.Finish()
	if err := out.Flush(); err != nil {
		return err
	}
	if d.bare > 0 && d.field == "" {
		d.warn("%s without the key beside it: load with --key %s", count(d.bare, "object", "objects"), quote.Shell(d.fields[0]))
	}
	if err := bad.err(); err != nil {
		return fmt.Errorf("the dump lacks some: %w", err)
	}
	return nil
}

// mayName reports whether a field may be the one that --key names. Without the user's word
// only one that can be typed as an argument is.
func (d *dumper) mayName(field string) bool {
	if d.chosen {
		return slices.Contains(d.fields, field)
	}
	return quote.Plain([]byte(field))
}

// asIs prints an object bare, if it can, and reports whether it did. It can if what it says
// is all there is to it, and if one field holds the key of it and of all that were printed
// bare before.
func (d *dumper) asIs(out *bufio.Writer, o *store.Object) bool {
	if d.never || o.Content != store.Msgpack || o.Meta != nil || !jsonpack.ExactObject(o.Value) {
		return false
	}
	var now []string
	for name, value := range jsonpack.Members(o.Value) {
		if string(name) == jsonpack.KeyField {
			return false
		}
		if key, ok := jsonpack.Key(value); ok && string(key) == string(o.Key) && d.mayName(string(name)) {
			now = append(now, string(name))
		}
	}
	if len(now) == 0 {
		return false
	}
	d.fields, d.chosen = now, true
	d.bare++
	jsonpack.Write(out, o.Value)
	_ = out.WriteByte('\n')
	return true
}
