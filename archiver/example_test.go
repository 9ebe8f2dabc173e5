package archiver_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/store"
)

// Ship a store's segments to a folder, make a backup, and restore it.
func Example() {
	ctx := context.Background()
	tmp, err := os.MkdirTemp("", "varve-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	dir, dest := filepath.Join(tmp, "store"), filepath.Join(tmp, "restored")
	db, err := store.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := db.Put([]byte("greeting"), []byte("hello")); err != nil {
		log.Fatal(err)
	}
	if _, err := db.Seal(); err != nil { // what is not sealed is not shipped
		log.Fatal(err)
	}

	target, err := archiver.OpenDir(filepath.Join(tmp, "archive"), &archiver.DirOptions{Make: true})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := archiver.Init(ctx, target); err != nil { // once
		log.Fatal(err)
	}
	a, err := archiver.New(archiver.Options{
		Store: os.DirFS(dir), Receipts: archiver.ReceiptsDir(dir), Targets: []archiver.Target{target},
	})
	if err != nil {
		log.Fatal(err)
	}
	report, err := a.Once(ctx) // or Run, for as long as ctx lives
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Targets[0].Shipped, "segment shipped")
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}

	archive, err := archiver.OpenArchive(ctx, target)
	if err != nil {
		log.Fatal(err)
	}
	stores, err := archive.Stores(ctx)
	if err != nil {
		log.Fatal(err)
	}
	plan, err := archiver.At(ctx, archive, stores[0].UUID, archiver.Point{}) // the newest
	if err != nil {
		log.Fatal(err)
	}
	if _, err := archiver.Restore(ctx, archive, dest, archiver.RestoreOptions{Plan: plan}); err != nil {
		log.Fatal(err)
	}
	r, err := store.OpenReadOnly(dest, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	v, err := r.Get([]byte("greeting"))
	fmt.Printf("%s %v\n", v, err)
	// Output:
	// 1 segment shipped
	// hello <nil>
}
