package main

import (
	"bufio"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/cmd/varve/internal/quote"
	"github.com/varve-db/varve/internal/jsonpack"
	"github.com/varve-db/varve/store"
)

// scanFlags say which objects, and what of them.
type scanFlags struct {
	keyFlag
	sourceFlags
	from, to, prefix string
	reverse          bool
	limit            int
	keysOnly         bool
}

func (a *app) scanCommand() *cobra.Command {
	var s scanFlags
	cmd := &cobra.Command{
		Use:   "scan",
		Short: "Print objects in the order of their keys",
		Long: `Print objects by ascending key (bytewise): key, tab, value on a line. A key or
value that is not printable UTF-8 is printed as a quoted Go string, and so is
one that is empty or begins with a quote. Msgpack values are printed as JSON.

An object that cannot be read is named on standard error, the scan goes on, and
the exit code is 3.

` + inPlaceHelp + `

` + objectHelp + `
With --keys-only it has the key alone.`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := s.keyRange(cmd)
			if err != nil {
				return err
			}
			return a.withObjects(cmd, &s.sourceFlags, func(db objects) error { return a.scan(db, r) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.from, "from", "", "the first `KEY`, or what is just after it")
	f.StringVar(&s.to, "to", "", "the `KEY` to stop before")
	f.StringVar(&s.prefix, "prefix", "", "only keys that begin so")
	f.BoolVar(&s.reverse, "reverse", false, "by descending key")
	f.IntVar(&s.limit, "limit", 0, "at most so many objects (default all)")
	f.BoolVar(&s.keysOnly, "keys-only", false, "print only the keys, and read nothing else")
	s.keyFlag.register(cmd)
	s.sourceFlags.register(f)
	return cmd
}

// keyRange turns the flags into a range. A bound that was not given is none.
func (s *scanFlags) keyRange(cmd *cobra.Command) (r store.Range, err error) {
	if s.limit < 0 || s.limit == 0 && cmd.Flags().Changed("limit") {
		return r, usagef("--limit %d: want at least 1", s.limit)
	}
	r = store.Range{Reverse: s.reverse, Limit: s.limit, KeysOnly: s.keysOnly}
	for _, b := range []struct {
		name string
		arg  string
		to   *[]byte
	}{{"from", s.from, &r.From}, {"to", s.to, &r.To}, {"prefix", s.prefix, &r.Prefix}} {
		if !cmd.Flags().Changed(b.name) {
			continue
		}
		if *b.to, err = s.bytes(b.arg); err != nil {
			return r, err
		}
		if b.name == "to" && len(r.To) == 0 {
			return r, usagef("--to is empty: no key comes before that")
		}
	}
	return r, nil
}

func (a *app) scan(db objects, r store.Range) error {
	out := bufio.NewWriterSize(a.out, 64<<10)
	d := damages{app: a}
	p := scanPrinter{app: a, out: out, keysOnly: r.KeysOnly, l: jsonpack.NewLine(out)}
	for o, err := range db.Scan(r) {
		if err != nil {
			if err := d.note(err); err != nil {
				return errors.Join(err, out.Flush())
			}
			continue
		}
		if err := p.print(&o); err != nil {
			return err
		}
	}
	return errors.Join(out.Flush(), d.err())
}

// scanPrinter writes the objects of a scan.
type scanPrinter struct {
	*app
	out      *bufio.Writer
	keysOnly bool
	l        *jsonpack.Line
}

func (p *scanPrinter) print(o *store.Object) error {
	switch {
	case p.json && p.keysOnly:
		p.l.Bytes("key", o.Key)
		p.l.End()
	case p.json:
		objectLine(p.l, o)
	case p.keysOnly:
		quote.Write(p.out, o.Key)
		_ = p.out.WriteByte('\n')
	default:
		quote.Write(p.out, o.Key)
		_ = p.out.WriteByte('\t')
		writeValue(p.out, o)
		_ = p.out.WriteByte('\n')
	}
	_, err := p.out.Write(nil) // one that it remembers
	return err
}

// writeValue writes a value on a line.
func writeValue(w *bufio.Writer, o *store.Object) {
	if o.Content == store.Msgpack && jsonpack.Exact(o.Value) {
		jsonpack.Write(w, o.Value)
		return
	}
	quote.Write(w, o.Value)
}

// damages counts the objects that a scan could not read.
type damages struct {
	app *app
	n   int64
}

// note tells of an object that is damaged. Any other error it returns.
func (d *damages) note(err error) error {
	if _, ok := errors.AsType[*store.CorruptError](err); !ok {
		return err
	}
	d.n++
	d.app.warn("%w", err)
	return nil
}

func (d *damages) err() error {
	if d.n == 0 {
		return nil
	}
	return fmt.Errorf("%s could not be read: %w", count(d.n, "object", "objects"), errDamage)
}
