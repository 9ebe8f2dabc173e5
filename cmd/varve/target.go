package main

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"slices"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/archiver/target/s3"
	"github.com/varve-db/varve/internal/vfs"
)

// openTarget opens the archive that a URL names. Where make is set, the folder of a
// file URL is made if it is absent.
func openTarget(ctx context.Context, raw string, make bool) (target.Target, error) {
	u, err := target.ParseURL(raw)
	if err != nil {
		return nil, &usageError{err}
	}
	if u.Scheme == "s3" {
		return openS3(ctx, u)
	}
	t, err := dir.Open(u.Path, &dir.Options{Make: make})
	if errors.Is(err, target.ErrNotExist) {
		return nil, &usageError{err}
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// openArchive opens a target to be read, with patience for what passes.
func openArchive(ctx context.Context, t target.Target) (*archive.Archive, error) {
	return archive.Open(ctx, target.Retry(t))
}

func openS3(ctx context.Context, u *url.URL) (target.Target, error) {
	t, err := s3.OpenURL(ctx, u)
	if err != nil {
		return nil, &usageError{err}
	}
	return t, nil
}

// openAll opens all archives that flags name, and makes them where they say so.
func (a *app) openAll(ctx context.Context, flags *shipFlags, o *archiver.Options) (err error) {
	if len(flags.to) == 0 {
		return errNoArchive
	}
	if flags.init {
		if err := a.initNew(ctx, flags, o); err != nil {
			return err
		}
	}
	return a.openOrLater(ctx, flags, o)
}

// openOrLater opens all archives that flags name. Where some cannot be opened that may
// be later, such as a folder whose disk is not mounted, they are left for later; but
// all of them only if they are to be waited for.
func (a *app) openOrLater(ctx context.Context, flags *shipFlags, o *archiver.Options) error {
	urls := flags.to
	var failed []error
	for i, raw := range urls {
		if slices.Contains(urls[:i], raw) {
			return usagef("the archive %s is given twice", raw)
		}
		t, err := openTarget(ctx, raw, false)
		u, bad := target.ParseURL(raw)
		switch {
		case err == nil:
			o.Targets = append(o.Targets, t)
		case bad != nil || u.Scheme != "file": // time does not heal a URL
			return err
		default:
			failed = append(failed, err)
			o.Unopened = append(o.Unopened, archiver.Unopened{URL: folderURL(u.Path), Open: func(ctx context.Context) (target.Target, error) {
				return openTarget(ctx, raw, false)
			}})
		}
	}
	if len(o.Targets) == 0 && !flags.keep && !a.knows(flags, o.Unopened) {
		return errors.Join(failed...)
	}
	return nil
}

// knows reports whether one of the archives was shipped to before: it is away, and so an
// alarm. Otherwise its URL may be wrong.
func (a *app) knows(flags *shipFlags, away []archiver.Unopened) bool {
	receipts, err := receiptsFolder(a.dir, flags.state)
	if err != nil {
		return false
	}
	s, err := archiver.ReadStatus(vfs.AsFS(vfs.Dir(a.dir)), receipts)
	return err == nil && slices.ContainsFunc(s.Targets, func(t archiver.TargetStatus) bool {
		return t.ID != "" && slices.ContainsFunc(away, func(u archiver.Unopened) bool { return u.URL == t.URL })
	})
}

// folderURL is the URL that an archive in a folder has.
func folderURL(path string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Clean(path))}).String()
}

// errNoArchive is the error where no archive is named.
var errNoArchive = usagef("which archive? give --to URL, such as file:///backup or s3://bucket/prefix")

// openTargets opens all archives that --to names, and makes them where init is set; with
// force also of what an archive left that lost its identity.
func (a *app) openTargets(ctx context.Context, urls []string, init, force bool) ([]target.Target, error) {
	if len(urls) == 0 {
		return nil, errNoArchive
	}
	var targets []target.Target
	for _, raw := range urls {
		if init {
			if err := a.apart(raw); err != nil {
				return nil, err
			}
		}
		t, err := openTarget(ctx, raw, init)
		if err != nil {
			return nil, err
		}
		if init {
			if err := initArchive(ctx, t, force); err != nil {
				return nil, archiveError(err)
			}
		}
		if slices.ContainsFunc(targets, func(o target.Target) bool { return o.URL() == t.URL() }) {
			return nil, usagef("the archive %s is given twice", t.URL())
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// initNew makes the archives that flags name, if there never were any: --init may stand in a
// line of cron, and then a disk that is not mounted is not made an archive by it. Where
// archives are waited for, one that was there once is left alone; otherwise it is refused.
func (a *app) initNew(ctx context.Context, flags *shipFlags, o *archiver.Options) error {
	known, err := archiver.ReadStatus(o.Store, o.Receipts)
	if err != nil {
		known = archiver.Status{} // nothing is known
	}
	for _, raw := range flags.to {
		u, err := target.ParseURL(raw)
		if err != nil {
			return &usageError{err}
		}
		url := folderURL(u.Path)
		t, err := openTarget(ctx, raw, false)
		if err == nil {
			url = t.URL()
			_, err = target.Identify(ctx, target.Retry(t))
		}
		there := !errors.Is(err, target.ErrNotExist) && !errors.Is(err, target.ErrNoIdentity)
		i := slices.IndexFunc(known.Targets, func(s archiver.TargetStatus) bool { return s.URL == url && s.ID != "" })
		switch {
		case there: // it is one, or what is wrong will be found out
		case i < 0:
			if _, err := a.openTargets(ctx, []string{raw}, true, false); err != nil {
				return err
			}
		case !flags.keep:
			return usagef("%s: %w: it was archive %s, and --init makes no other in its place; mount what should be there, or, to begin anew, varve archive init --to %[1]s",
				url, target.ErrNoIdentity, known.Targets[i].ID)
		}
	}
	return nil
}

// initArchive makes a target an archive, if it is none, and is fit to be one: it holds nothing,
// or with force only what an archive left there; and a server that overwrites would take a new
// identity where an old one was.
func initArchive(ctx context.Context, t target.Target, force bool) error {
	p := target.Retry(t)
	if _, err := target.Identify(ctx, p); errors.Is(err, target.ErrNoIdentity) {
		err := archive.Vacant(ctx, t)
		if full, ok := errors.AsType[*archive.NotEmptyError](err); ok {
			switch {
			case full.Archived && force:
				err = nil
			case full.Archived:
				err = usagef("%w; or, to begin with a new identity, so that all is shipped again: varve archive init --force --to %s", err, t.URL())
			default:
				err = &usageError{err}
			}
		}
		if err != nil {
			return err
		}
		if err := t.Probe(ctx); err != nil {
			return err
		}
	}
	_, err := target.Init(ctx, p)
	return err
}

// apart refuses a folder for an archive that lies in a store, or around the one that is
// named: what takes the one takes the other.
func (a *app) apart(raw string) error {
	u, err := target.ParseURL(raw)
	if err != nil {
		return &usageError{err}
	}
	if u.Scheme != "file" {
		return nil
	}
	in, err := source.StoreAround(u.Path)
	if err != nil {
		return err
	}
	if in != "" {
		return usagef("%s is in the folder of a store, %s: name a folder outside of it for the archive", raw, in)
	}
	if a.dir == "" {
		return nil
	}
	around, err := source.FolderAround(u.Path, a.dir)
	if err == nil && around {
		err = usagef("the store %s is in %s: name a folder for the archive that holds nothing else", a.dir, raw)
	}
	return err
}

// warnSameDisk says so where an archive lies on the file system of the store.
func (a *app) warnSameDisk(folder string, urls []string) {
	for _, raw := range urls {
		u, err := target.ParseURL(raw)
		if err != nil || u.Scheme != "file" {
			continue
		}
		if same, err := dir.SameFileSystem(folder, u.Path); err == nil && same {
			a.warn("%s is on the same file system as the store: it is no second copy if that is lost", raw)
		}
	}
}
