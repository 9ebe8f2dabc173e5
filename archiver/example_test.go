package archiver_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/restore"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
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
	folder, dest := filepath.Join(tmp, "store"), filepath.Join(tmp, "restored")
	db, err := store.Open(folder, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := db.Put([]byte("greeting"), []byte("hello")); err != nil {
		log.Fatal(err)
	}
	if _, err := db.Seal(); err != nil { // what is not sealed is not shipped
		log.Fatal(err)
	}

	to, err := dir.Open(filepath.Join(tmp, "archive"), &dir.Options{Make: true})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := target.Init(ctx, to); err != nil { // once
		log.Fatal(err)
	}
	a, err := archiver.New(archiver.Options{
		Store: os.DirFS(folder), Receipts: archiver.ReceiptsDir(folder), Targets: []target.Target{to},
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

	archive, err := archive.Open(ctx, to)
	if err != nil {
		log.Fatal(err)
	}
	stores, err := archive.Stores(ctx)
	if err != nil {
		log.Fatal(err)
	}
	plan, err := history.At(ctx, archive, stores[0].UUID, history.Point{}) // the newest
	if err != nil {
		log.Fatal(err)
	}
	if _, err := restore.Run(ctx, archive, dest, restore.Options{Plan: plan}); err != nil {
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
