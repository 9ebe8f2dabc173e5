package archivetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/internal/testkit"
)

// OpenDir opens a folder as a target.
func OpenDir(t testing.TB, path string) *dir.Dir {
	t.Helper()
	d, err := dir.Open(path, nil)
	testkit.Must(t, err)
	return d
}

// Put puts b under name.
func Put(target target.Target, name string, b []byte) error {
	return target.Put(context.Background(), name, bytes.NewReader(b), int64(len(b)), sha256.Sum256(b))
}

// Listed returns the names of the objects.
func Listed(t testing.TB, target target.Target) (names []string) {
	t.Helper()
	for info, err := range target.List(t.Context(), "", "") {
		testkit.Must(t, err)
		names = append(names, info.Name)
	}
	return names
}
