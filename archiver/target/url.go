package target

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// ParseURL reads the name of a target as its user writes it: file:///path,
// s3://bucket/prefix?endpoint=…&region=…, or the path of a folder, which becomes a file URL with
// an absolute path. Package s3 checks the parts of an S3 URL. A URL with a password in it is
// refused: URLs show up in logs and receipts.
func ParseURL(s string) (*url.URL, error) {
	if s == "" {
		return nil, errors.New("an empty URL; want file:///path or s3://bucket/prefix")
	}
	if !strings.Contains(s, "://") {
		path, err := filepath.Abs(s)
		if err != nil {
			return nil, err
		}
		return &url.URL{Scheme: "file", Path: path}, nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("the URL of an archive: %w", withoutSecret(err))
	}
	if u.User != nil {
		return nil, fmt.Errorf("the URL %s holds a name or password; give credentials in the environment", u.Redacted())
	}
	switch {
	case u.Fragment != "" || u.Opaque != "":
		return nil, fmt.Errorf("the URL %s has a fragment; remove the # and what follows", s)
	case u.Scheme == "file" && (u.Host != "" || !strings.HasPrefix(u.Path, "/") || u.RawQuery != ""):
		return nil, fmt.Errorf("the URL %s: want file:///path, with three slashes and an absolute path", s)
	case u.Scheme == "s3" && u.Host == "":
		return nil, fmt.Errorf("the URL %s: want s3://bucket/prefix", s)
	case u.Scheme != "file" && u.Scheme != "s3":
		return nil, fmt.Errorf("the URL %s: want file:///path or s3://bucket/prefix", s)
	}
	return u, nil
}

// withoutSecret is the reason of a failed parse without the URL, which may hold a
// password.
func withoutSecret(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
