package main

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/s3"
)

// openTarget opens the archive that a URL names. Where make is set, the folder of a
// file URL is made if it is absent.
func openTarget(ctx context.Context, raw string, make bool) (archiver.Target, error) {
	u, err := archiver.ParseURL(raw)
	if err != nil {
		return nil, &usageError{err}
	}
	if u.Scheme == "s3" {
		return openS3(ctx, u)
	}
	t, err := archiver.OpenDir(u.Path, &archiver.DirOptions{Make: make})
	if errors.Is(err, archiver.ErrNotExist) {
		return nil, &usageError{err}
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

func openS3(ctx context.Context, u *url.URL) (archiver.Target, error) {
	t, err := s3.OpenURL(ctx, u)
	if err != nil {
		return nil, &usageError{err}
	}
	return t, nil
}

// openTargets opens all archives that --to names, and makes them where init is set.
func (a *app) openTargets(ctx context.Context, urls []string, init bool) ([]archiver.Target, error) {
	if len(urls) == 0 {
		return nil, usagef("which archive? give --to URL, such as file:///backup or s3://bucket/prefix")
	}
	var targets []archiver.Target
	for _, raw := range urls {
		t, err := openTarget(ctx, raw, init)
		if err != nil {
			return nil, err
		}
		if init {
			if _, err := archiver.Init(ctx, t); err != nil {
				return nil, archiveError(err)
			}
		}
		if slices.ContainsFunc(targets, func(o archiver.Target) bool { return o.URL() == t.URL() }) {
			return nil, usagef("the archive %s is given twice", t.URL())
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// warnSameDisk says so where an archive lies on the file system of the store.
func (a *app) warnSameDisk(dir string, urls []string) {
	for _, raw := range urls {
		u, err := archiver.ParseURL(raw)
		if err != nil || u.Scheme != "file" {
			continue
		}
		if same, err := archiver.SameFileSystem(dir, u.Path); err == nil && same {
			a.warn("%s is on the same file system as the store: it is no second copy if that is lost", raw)
		}
	}
}
