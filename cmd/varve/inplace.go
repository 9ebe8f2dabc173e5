package main

import (
	"context"
	"errors"
	"iter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/inplace"
	"github.com/varve-db/varve/store"
)

const inPlaceHelp = `With --archive URL it reads from an archive, without restoring it, and not from the
store that -d names. URL is file:///path, s3://bucket/prefix, or a folder's path.
` + pointHelp

// objects is what a command that only reads works on: a store, or a point of an archive.
type objects interface {
	Scan(store.Range) iter.Seq2[store.Object, error]
	GetObject(key []byte) (store.Object, error)
	Has(key []byte) (bool, error)
	liveBytes() int64 // of the records of all objects, or -1 if that is not known
}

// stored is the objects of a store.
type stored struct{ *store.Reader }

func (s stored) liveBytes() int64 { return s.Stats().LiveBytes }

// archived is the objects of a point of an archive.
type archived struct{ r *inplace.Reader }

func (a archived) liveBytes() int64 { return -1 }

// GetObject returns an object, as the caller's own.
func (a archived) GetObject(key []byte) (store.Object, error) {
	return a.r.Get(key)
}

// Has reports whether a key is there.
func (a archived) Has(key []byte) (bool, error) { return a.r.Has(key) }

// Scan iterates as the Scan of a store does.
func (a archived) Scan(r store.Range) iter.Seq2[store.Object, error] { return a.r.Scan(r) }

// sourceFlags say where a command that only reads finds its objects: in the store, or
// with --archive at a point of an archive.
type sourceFlags struct{ pointFlags }

func (s *sourceFlags) register(f *pflag.FlagSet) {
	f.StringVar(&s.url, "archive", "", "the `URL` of an archive to read from, or its folder")
	s.urlFlag = "archive"
	s.registerPoint(f)
}

// inArchive reports whether the flags mean an archive.
func (s *sourceFlags) inArchive(f *pflag.FlagSet) bool {
	return f.Changed(s.urlFlag) || s.given(f)
}

// withObjects runs fn on the objects that the flags mean.
func (a *app) withObjects(cmd *cobra.Command, s *sourceFlags, fn func(objects) error) error {
	if !s.inArchive(cmd.Flags()) {
		return a.withReader(func(r *store.Reader) error { return fn(stored{r}) })
	}
	return a.withArchive(cmd, s, func(ctx context.Context, arc *archive.Archive, plan *history.Plan) error {
		return fn(archived{inplace.NewReader(ctx, arc, plan, nil)})
	})
}

// withArchive runs fn on the archive and the point that the flags mean.
func (a *app) withArchive(cmd *cobra.Command, s *sourceFlags, fn func(context.Context, *archive.Archive, *history.Plan) error) error {
	f := cmd.Flags()
	for _, name := range []string{"integrity", "allow-damaged"} {
		if f.Changed(name) {
			return usagef("--%s is about a store: of an archive all that is read is verified, and what is damaged is named", name)
		}
	}
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	arc, plan, err := a.plan(ctx, &s.pointFlags, f)
	if err == nil {
		err = archiveError(fn(ctx, arc, plan))
	}
	if _, ok := errors.AsType[*interrupted](err); err == nil || ok {
		return err
	}
	return stopped(ctx, err)
}
