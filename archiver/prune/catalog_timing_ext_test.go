package prune_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/backup"
	"github.com/varve-db/varve/archiver/prune"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/archiver/target/s3"
	"github.com/varve-db/varve/archiver/target/targettest"
	"github.com/varve-db/varve/internal/testkit"
)

// TestTimesOfABigCatalog is run by hand, with VARVE_TIMES set: it logs what list, plan,
// create and prune take with 1,000 backups over 100,000 segments. It asserts no time.
func TestTimesOfABigCatalog(t *testing.T) {
	if os.Getenv("VARVE_TIMES") == "" {
		t.Skip("VARVE_TIMES is not set")
	}
	for _, kind := range []string{"directory", "s3"} {
		t.Run(kind, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "archive")
			testkit.Must(t, os.Mkdir(root, 0o700))
			var to target.Target
			var err error
			if kind == "s3" {
				server := targettest.StartS3(t)
				root = filepath.Join(server.Root, server.Bucket)
				to, err = s3.Open(t.Context(), s3.Options{Bucket: server.Bucket, Endpoint: server.Endpoint, Region: server.Region})
			} else {
				to, err = dir.Open(root, nil)
			}
			testkit.Must(t, err)
			c := prune.NewBigCatalog(t, root)
			id, err := target.Init(t.Context(), to)
			testkit.Must(t, err)
			open := func() *archive.Archive {
				a, err := archive.Open(t.Context(), c.Over(to))
				testkit.Must(t, err)
				return a
			}
			c.Time("list", func() {
				all, err := open().Backups(t.Context(), prune.BigStore)
				testkit.Must(t, err)
				if len(all) < c.Backups {
					t.Fatalf("%d backups", len(all))
				}
			})
			c.Time("names of all segments", func() {
				list, err := open().Segments(t.Context(), prune.BigStore, 1)
				testkit.Must(t, err)
				if len(list) != c.Segments {
					t.Fatalf("%d segments", len(list))
				}
			})
			c.Time("prune", func() {
				o := prune.Options{Policy: prune.Policy{Keep: 2000, Window: time.Hour}, Explain: true}
				rep, err := prune.Run(t.Context(), open(), prune.BigStore, o)
				testkit.Must(t, err)
				if rep.Kept.Segments != c.Segments {
					t.Fatalf("%+v", rep)
				}
			})
			dir, receipts := c.Store(id.ID)
			c.Time("create, all shipped", func() {
				arc, err := archiver.New(archiver.Options{Store: os.DirFS(dir), Receipts: receipts, Targets: []target.Target{c.Over(to)}})
				testkit.Must(t, err)
				begun := time.Now()
				_, err = arc.Once(t.Context())
				testkit.Must(t, err)
				t.Logf("   of that Once %.3f s", time.Since(begun).Seconds())
				_, err = backup.Create(t.Context(), open(), backup.CreateOptions{Store: os.DirFS(dir), Receipts: receipts})
				testkit.Must(t, err)
			})
		})
	}
}
