package s3

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/targettest"
)

var _ target.Topped = (*Target)(nil)

// TestWhatIsInABucketIsNotVacant looks at a prefix in a bucket with one foreign thing at a
// time, with what an archive left, and with neighbours only.
func TestWhatIsInABucketIsNotVacant(t *testing.T) {
	s := targettest.StartS3(t)
	const store = "01234567-89ab-cdef-0123-456789abcdef"
	for i, c := range []struct {
		what     string
		names    []string // objects below the prefix; what ends in a slash is a folder
		name     string   // that is told; empty: it is vacant
		archived bool
	}{
		{"nothing", nil, "", false},
		{"an object", []string{"a.jpg"}, "a.jpg", false},
		{"an object of a name that no archive can have", []string{"a photo.jpg"}, "a photo.jpg", false},
		{"a folder", []string{"2026/01/a.jpg"}, "2026", false},
		{"a folder that another tool made, with nothing in it", []string{"2026/"}, "2026", false},
		{"what a killed probe left", []string{probePrefix + "x", probePrefix + "x-wrong"}, "", false},
		{"what an archive holds", []string{"varve-archive.json", store + "/1/x.seg"}, store, true},
		{"an archive and something else", []string{store + "/1/x.seg", "varve-reserve", "zzz/x"}, "zzz", false},
		{"an archive behind something else", []string{".hidden", store + "/1/x.seg"}, ".hidden", false},
	} {
		prefix := fmt.Sprintf("archives/%d", i)
		for _, name := range append(c.names, "../"+fmt.Sprint(i)+"-neighbour/x", "../../other") {
			path := filepath.Join(s.Root, s.Bucket, prefix, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if name[len(name)-1] == '/' {
				if err := mark(open(t, s, prefix), t.Context(), name); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, target := range []target.Target{open(t, s, prefix), target.Retry(open(t, s, prefix))} {
			err := archive.Vacant(t.Context(), target)
			full, ok := errors.AsType[*archive.NotEmptyError](err)
			switch {
			case c.name == "" && err != nil, c.name != "" && !ok:
				t.Errorf("%s: %v", c.what, err)
			case c.name != "" && (full.Name != c.name || full.Archived != c.archived):
				t.Errorf("%s: %+v, want %q, archived %v", c.what, full, c.name, c.archived)
			}
		}
	}
}

// TestVacantOfAFullBucketAsksOnce: what is foreign at once ends the look.
func TestVacantOfAFullBucketAsksOnce(t *testing.T) {
	s := targettest.StartS3(t)
	proxy := targettest.StartProxy(t, s.Endpoint)
	for i := range 1001 {
		if err := os.WriteFile(filepath.Join(s.Root, s.Bucket, fmt.Sprintf("photo-%04d", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := len(proxy.Requests())
	err := archive.Vacant(t.Context(), openAt(t, s.URLAt(proxy.URL, "")))
	if !errors.Is(err, archive.ErrNotEmpty) {
		t.Error(err)
	}
	if n := len(proxy.Requests()) - before; n != 1 {
		t.Errorf("%d requests", n)
	}
}

// mark makes an object whose name ends in a slash, as other tools do for a folder.
func mark(t *Target, ctx context.Context, name string) error {
	_, err := t.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &t.bucket, Key: aws.String(t.prefix + name)})
	return err
}
