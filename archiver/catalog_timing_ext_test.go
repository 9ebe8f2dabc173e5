package archiver_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archivertest"
	"github.com/varve-db/varve/archiver/s3"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
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
			var target archiver.Target
			var err error
			if kind == "s3" {
				server := archivertest.StartS3(t)
				root = filepath.Join(server.Root, server.Bucket)
				target, err = s3.Open(t.Context(), s3.Options{Bucket: server.Bucket, Endpoint: server.Endpoint, Region: server.Region})
			} else {
				target, err = archiver.OpenDir(root, nil)
			}
			testkit.Must(t, err)
			c := archiver.NewBigCatalog(t, root)
			id, err := archiver.Init(t.Context(), target)
			testkit.Must(t, err)
			open := func() *archiver.Archive {
				a, err := archiver.OpenArchive(t.Context(), c.Over(target))
				testkit.Must(t, err)
				return a
			}
			c.Time("list", func() {
				all, err := open().Backups(t.Context(), archiver.BigStore)
				testkit.Must(t, err)
				if len(all) < c.Backups {
					t.Fatalf("%d backups", len(all))
				}
			})
			c.Time("names of all segments", func() {
				list, err := open().Segments(t.Context(), archiver.BigStore, 1)
				testkit.Must(t, err)
				if len(list) != c.Segments {
					t.Fatalf("%d segments", len(list))
				}
			})
			c.Time("prune", func() {
				o := archiver.PruneOptions{Policy: archiver.Policy{Keep: 2000, Window: time.Hour}, Explain: true}
				rep, err := archiver.Prune(t.Context(), open(), archiver.BigStore, o)
				testkit.Must(t, err)
				if rep.Kept.Segments != c.Segments {
					t.Fatalf("%+v", rep)
				}
			})
			dir, receipts := c.Store(id.ID)
			c.Time("create, all shipped", func() {
				arc, err := archiver.New(archiver.Options{Store: os.DirFS(dir), Receipts: vfs.Dir(filepath.Join(dir, "receipts")), Targets: []archiver.Target{c.Over(target)}})
				testkit.Must(t, err)
				begun := time.Now()
				_, err = arc.Once(t.Context())
				testkit.Must(t, err)
				t.Logf("   of that Once %.3f s", time.Since(begun).Seconds())
				_, err = archiver.Create(t.Context(), open(), archiver.CreateOptions{Store: os.DirFS(dir), Receipts: receipts})
				testkit.Must(t, err)
			})
		})
	}
}
