package store

import (
	"fmt"
	"testing"
)

func TestSmoke(t *testing.T) {
	for _, d := range []Durability{SyncAlways, SyncEvery(1e9)} {
		t.Run(d.String(), func(t *testing.T) {
			dir := t.TempDir() + "/s"
			db, err := Open(dir, &Options{SegmentSize: 1 << 16, Durability: d})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3000 {
				if err := db.Put(fmt.Appendf(nil, "key%05d", i*7%3000), fmt.Appendf(nil, "value %d", i*7%3000)); err != nil {
					t.Fatal(err)
				}
			}
			check := func(get interface {
				Get([]byte) ([]byte, error)
			}) {
				t.Helper()
				for i := range 3000 {
					v, err := get.Get(fmt.Appendf(nil, "key%05d", i))
					if err != nil || string(v) != fmt.Sprintf("value %d", i) {
						t.Fatalf("key %d: %q %v", i, v, err)
					}
				}
			}
			check(db)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db, err = Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v", db.OpenReport())
			check(db)
			n := 0
			for o, err := range db.Scan(Range{}) {
				if err != nil || string(o.Key) != fmt.Sprintf("key%05d", n) || string(o.Value) != fmt.Sprintf("value %d", n) {
					t.Fatalf("%d: %s %s %v", n, o.Key, o.Value, err)
				}
				n++
			}
			if n != 3000 {
				t.Fatal(n)
			}
			if _, err := db.Seal(); err != nil {
				t.Fatal(err)
			}
			check(db)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
