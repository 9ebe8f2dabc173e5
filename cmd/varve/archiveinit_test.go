package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-db/varve/archiver/target/targettest"
)

// TestABucketIsMadeAnArchiveLikeAFolder: a prefix that holds something is refused, with
// --force too; what an archive left that lost its identity is taken with --force alone.
func TestABucketIsMadeAnArchiveLikeAFolder(t *testing.T) {
	s := targettest.StartS3(t)
	file := func(name string) string { return filepath.Join(s.Root, s.Bucket, name) }
	init := func(prefix string, force bool) error {
		_, err := (&app{}).openTargets(t.Context(), []string{s.URL(prefix)}, true, force)
		return err
	}
	refused := func(err error, text string) {
		t.Helper()
		if exitCode(err) != 2 || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, exit code %d; want 2 and %q", err, exitCode(err), text)
		}
	}
	if err := os.MkdirAll(file("photos/2026"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file("photos/2026/a picture.jpg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, force := range []bool{false, true} {
		refused(init("photos", force), "it is not empty: 2026 is there; name an empty folder or prefix")
		refused(init("", force), "it is not empty: photos is there")
	}
	if _, err := os.Stat(file("photos/varve-archive.json")); err == nil {
		t.Error("it was made an archive all the same")
	}
	for range 2 { // the second finds that it is one
		if err := init("arc", false); err != nil {
			t.Error(err)
		}
	}
	if err := os.Remove(file("arc/varve-archive.json")); err != nil {
		t.Fatal(err)
	}
	refused(init("arc", false), "varve archive init --force --to s3://")
	if err := init("arc", true); err != nil {
		t.Error(err)
	}
}
