package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/internal/jsonpack"
	"github.com/varve-db/varve/store"
)

const loadHelp = `Read JSON objects, one a line, with any white space between them, or as the items of
an array, and store each as canonical msgpack: fields in bytewise order at all depths, integers of up
to 64 bits in their shortest form, other numbers as float64. A number that would not
come back as the decimal that was written, a field that stands twice, and what is
no UTF-8 is refused with its line; the objects before it are stored.

--key names the field that holds the key, a string or an integer; the field stays
in the object. Lines that dump wrote with the key beside the object need no --key:
an object with a field key_b64 is such a line, and must have this form:
  key_b64           the key
  object            the value, stored as msgpack; or
  value_b64         the value as it is, with "content":"msgpack" if it is that
  meta, meta_b64    what is kept beside it, if anything

` + verboseHelp + `
With --json it ends with a line of objects, bytes (of values) and seconds.
Ctrl-C stops after the present batch; exit code 130.`

func (a *app) loadCommand() *cobra.Command {
	var w writeFlags
	l := loader{app: a}
	cmd := &cobra.Command{
		Use:   "load [FILE|-]",
		Short: "Store a stream of JSON objects",
		Long:  loadHelp,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("key") {
				if err := keyFieldFlag(l.field); err != nil {
					return err
				}
			}
			in, total := a.in, int64(-1)
			if len(args) > 0 && args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return &usageError{err}
				}
				defer f.Close()
				if info, err := f.Stat(); err == nil && info.IsDir() {
					return usagef("%s: is a folder; load reads a file", args[0])
				} else if err == nil && info.Mode().IsRegular() {
					total = info.Size()
				}
				in = f
			}
			ctx, stop := interruptibleAtPipe(cmd.Context())
			defer stop()
			return a.withWriter(w.options(), func(db *store.DB) error {
				l.intake = a.newIntake(db, w.segmentSize, l.verbose)
				return l.run(ctx, in, total)
			})
		},
	}
	w.register(cmd.Flags())
	cmd.Flags().StringVar(&l.field, "key", "", "the field that holds the key")
	cmd.Flags().BoolVarP(&l.verbose, "verbose", "v", false, "print each key once it is acknowledged")
	return cmd
}

// keyFieldFlag refuses what --key of load and dump cannot be.
func keyFieldFlag(field string) error {
	if field == "" || field == jsonpack.KeyField {
		return usagef("--key %q: want the name of a field, and not %s", field, jsonpack.KeyField)
	}
	return nil
}

// loader is one run of load.
type loader struct {
	*app
	*intake
	field   string // of the key; empty: lines of dump only
	verbose bool
}

func (l *loader) run(ctx context.Context, in *os.File, total int64) error {
	bar := l.meter("loading", total)
	defer bar.Finish()
	err := l.finish(l.stream(ctx, bar.Reader(until(ctx, in))))
	bar.Finish()
	if err != nil {
		return err
	}
	if !l.json {
		_, err = fmt.Fprintf(l.last(l.app), "loaded %s, %s %s\n", count(l.objects, "object", "objects"), units.Human(l.bytes), l.rate())
		return err
	}
	return writeJSON(l.last(l.app), l.summary())
}

// until returns a reader of r that ends when the context does, even while r keeps
// it waiting.
func until(ctx context.Context, r io.Reader) io.Reader {
	pr, pw := io.Pipe()
	go func() {
		_, err := io.Copy(pw, r)
		pw.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { pw.CloseWithError(context.Cause(ctx)) })
	return pr
}

// stream stores the objects of a stream.
func (l *loader) stream(ctx context.Context, r io.Reader) error {
	for v, err := range jsonpack.Values(r) {
		if err != nil {
			return badLine(err)
		}
		o, err := l.object(v)
		if err != nil {
			return badLine(v.Refused(err))
		}
		v.Forget()
		if err := l.add(o); errors.Is(err, store.ErrTooLarge) {
			return badLine(v.Refused(err))
		} else if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// badLine makes an error about a line of the input one of usage, and leaves others alone.
func badLine(err error) error {
	if _, ok := errors.AsType[*jsonpack.LineError](err); ok {
		return &usageError{err}
	}
	return err
}

// object makes the object of a JSON value. It shares no memory with it.
func (l *loader) object(v *jsonpack.Value) (o store.Object, err error) {
	if !v.IsObject() {
		return o, errors.New("not a JSON object")
	}
	if _, ok := v.Field(jsonpack.KeyField); ok {
		return v.Unwrap()
	}
	if l.field == "" {
		return o, fmt.Errorf("an object without %s: --key must name the field that holds its key", jsonpack.KeyField)
	}
	f, ok := v.Field(l.field)
	if !ok {
		return o, fmt.Errorf("no field %q, which --key names", l.field)
	}
	key, ok := f.Key()
	if !ok {
		return o, fmt.Errorf("field %q is no key: want a string that is not empty, or an integer", l.field)
	}
	return store.Object{Key: key, Value: v.Pack(), Content: store.Msgpack}, nil
}
