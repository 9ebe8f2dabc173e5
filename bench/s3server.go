package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/archiver/target/s3"
	"github.com/varve-db/varve/archiver/target/targettest"
)

// needS3 starts the server of the stage, or returns the one that runs. Without the
// program the experiment is skipped.
func (s *stage) needS3() (*targettest.S3Server, error) {
	if s.s3 != nil {
		return s.s3, nil
	}
	root, err := s.folder("s3")
	if err != nil {
		return nil, err
	}
	s.s3, s.stopS3, err = targettest.RunS3(root)
	if errors.Is(err, targettest.ErrNoS3) {
		err = fmt.Errorf("%w: %w", errSkip, targettest.ErrNoS3)
	}
	return s.s3, err
}

// s3Env is the environment of a child that uses the server, and nobody else's.
func s3Env(v *targettest.S3Server) []string { return append(v.Env(), "AWS_REGION="+v.Region) }

// bucketOf returns the folder with the files of the server's bucket.
func bucketOf(v *targettest.S3Server) string { return filepath.Join(v.Root, v.Bucket) }

// traffic counts what goes over HTTP.
type traffic struct {
	requests, received atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (c *traffic) RoundTrip(r *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		res.Body = &counted{res.Body, c}
	}
	return res, err
}

// into adds what was counted to f.
func (c *traffic) into(f figures, name string) {
	f[name+"requests"], f[name+"received"] = float64(c.requests.Swap(0)), float64(c.received.Swap(0))
}

// openTarget opens the archive in a folder, or at an S3 URL. c, where it is not nil,
// counts what goes over HTTP.
func openTarget(ctx context.Context, where string, c *traffic) (target.Target, error) {
	if !strings.HasPrefix(where, "s3://") {
		return dir.Open(where, nil)
	}
	u, err := url.Parse(where)
	if err != nil {
		return nil, err
	}
	o := s3.Options{Bucket: u.Host, Prefix: u.Path, Endpoint: u.Query().Get("endpoint")}
	if c != nil {
		o.HTTPClient = &http.Client{Transport: c}
	}
	return s3.Open(ctx, o)
}
