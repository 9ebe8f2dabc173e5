package store_test

import (
	"fmt"
	"log"
	"os"

	"github.com/varve-db/varve/store"
)

func Example() {
	dir, err := os.MkdirTemp("", "varve-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(dir, nil) // made where it is absent or empty
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	var b store.Batch // all of it, or none
	for i, name := range []string{"Ada", "Grace", "Barbara"} {
		if err := b.Put(fmt.Appendf(nil, "user/%d", i), []byte(name)); err != nil {
			log.Fatal(err)
		}
	}
	if err := db.Apply(&b); err != nil { // on the disk when it returns
		log.Fatal(err)
	}
	for o, err := range db.Scan(store.Range{Prefix: []byte("user/")}) {
		fmt.Printf("%s = %s %v\n", o.Key, o.Value, err)
	}
	// Output:
	// user/0 = Ada <nil>
	// user/1 = Grace <nil>
	// user/2 = Barbara <nil>
}
