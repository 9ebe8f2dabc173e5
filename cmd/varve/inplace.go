package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

const inPlaceHelp = `With --from URL the object is read from an archive, without restoring it.
` + pointHelp

// object makes the object of a record.
func objectOf(r *segment.Record) store.Object {
	o := store.Object{Key: r.Key, Value: r.Value, Meta: r.Meta, Seq: r.Seq}
	if r.Flags&segment.FlagMsgpack != 0 {
		o.Content = store.Msgpack
	}
	return o
}

// withArchive runs fn on a reader of the point that the flags name.
func (a *app) withArchive(parent context.Context, p *pointFlags, f *pflag.FlagSet, fn func(*archiver.Reader) error) error {
	ctx, stop := interruptible(parent)
	defer stop()
	arc, plan, err := p.plan(ctx, f)
	if err == nil {
		err = fn(arc.Reader(ctx, plan, nil))
	}
	if err != nil {
		return stopped(ctx, err)
	}
	return nil
}

// getFrom prints an object of an archive.
func (a *app) getFrom(r *archiver.Reader, key []byte) error {
	rec, err := r.Get(key)
	if errors.Is(err, archiver.ErrNotFound) {
		return missing(key, store.ErrNotFound)
	}
	if err != nil {
		return archiveError(err)
	}
	o := objectOf(rec)
	out := o.Value
	if a.json {
		out = objectLine(new(line), &o)
	}
	_, err = a.out.Write(out)
	return err
}

// scanFrom prints the objects of a range of an archive.
func (a *app) scanFrom(r *archiver.Reader, rg store.Range) error {
	out := bufio.NewWriterSize(a.out, 64<<10)
	d := damages{app: a}
	p := scanPrinter{app: a, out: out, keysOnly: rg.KeysOnly}
	for rec, err := range r.Scan(archiver.ReadRange{From: rg.From, To: rg.To, Prefix: rg.Prefix, Reverse: rg.Reverse, Limit: rg.Limit, KeysOnly: rg.KeysOnly}) {
		if err != nil && rec == nil {
			return errors.Join(archiveError(err), out.Flush())
		}
		if err != nil {
			if err := d.note(err); err != nil {
				return errors.Join(err, out.Flush())
			}
			continue
		}
		o := objectOf(rec)
		if err := p.print(&o); err != nil {
			return err
		}
	}
	return errors.Join(out.Flush(), d.err())
}

// startFlag is --from of scan: the first key, or the URL of an archive, or, given
// twice, both.
type startFlag struct {
	key   string
	given bool // the key
	url   *string
}

// Set tells a URL from a key by what it begins with. A key that begins so can be
// given with --quoted.
func (s *startFlag) Set(v string) error {
	for _, scheme := range []string{"file://", "s3://"} {
		if strings.HasPrefix(v, scheme) {
			if *s.url != "" {
				return fmt.Errorf("two archives, %s and %s; a key that begins so is given in quotes, with -q", *s.url, v)
			}
			*s.url = v
			return nil
		}
	}
	s.key, s.given = v, true
	return nil
}

func (s *startFlag) String() string { return s.key }
func (s *startFlag) Type() string   { return "KEY|URL" }
