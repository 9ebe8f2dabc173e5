package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/varve-db/varve/internal/jsonpack"
	"github.com/varve-db/varve/store"
)

// allocated returns how many bytes fn allocates, all together.
func allocated(fn func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// TestMemoryOfLargeObjects bounds what is allocated in all, so that there is no more than one
// copy of an object at a time beyond what it is stored from.
func TestMemoryOfLargeObjects(t *testing.T) {
	const size = 8 << 20
	const slack = 1 << 20
	value := bytes.Repeat([]byte{0xff}, size)
	check := func(what string, most float64, fn func()) {
		t.Helper()
		if n := allocated(fn); n > int(most*size)+slack {
			t.Errorf("%s of %d bytes allocates %.1f times as much, want at most %.1f", what, size, float64(n)/size, most)
		}
	}
	check("the value of put from a pipe", 2.6, func() {
		if v, err := readValue(bytes.NewReader(value)); err != nil || len(v) != size {
			t.Error(len(v), err)
		}
	})

	dir := t.TempDir()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	raw, text := filepath.Join(dir, "raw"), filepath.Join(dir, "text")
	put := func(dir string, o store.Object) {
		db, err := store.Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.PutObject(o); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	put(raw, store.Object{Key: []byte("k"), Value: value})
	packed, err := packJSON(`{"id":"k","s":"` + strings.Repeat("x", size) + `"}`)
	if err != nil {
		t.Fatal(err)
	}
	put(text, store.Object{Key: []byte("k"), Value: packed, Content: store.Msgpack})
	for _, s := range []string{raw, text} {
		for _, args := range [][]string{{"dump"}, {"scan"}, {"scan", "--json"}, {"get", "k"}, {"get", "k", "--json"}} {
			check(strings.Join(args, " ")+" of "+filepath.Base(s), 2.2, func() {
				if code := inProcess(t, null, append([]string{"-d", s}, args...)...); code != 0 {
					t.Errorf("%q: exit code %d", args, code)
				}
			})
		}
	}

	load := func(text string) func() {
		return func() {
			for p, err := range jsonpack.Values(io.MultiReader(strings.NewReader(text))) {
				if err != nil {
					t.Fatal(err)
				}
				l := loader{field: "id"}
				if _, err := l.object(p); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	// The text grows in steps, each half of the next: twice its size in all, and half more.
	check("load of numbers", 4.5, load(`{"id":"k","n":[`+strings.Repeat("1,", size/2)+`1]}`))
	check("load of a string", 5.5, load(`{"s":"`+strings.Repeat("x", size)+`","id":"k"}`))
}
