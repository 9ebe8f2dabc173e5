package s3

import (
	"fmt"
	"slices"
	"testing"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/targettest"
)

var _ target.Foldered = (*Target)(nil)

// TestFoldersAreThoseOfTheNames compares folders with what the names say, below a prefix of
// the target's own, and beside what is not the target's.
func TestFoldersAreThoseOfTheNames(t *testing.T) {
	s := targettest.StartS3(t)
	target, other := open(t, s, "p"), open(t, s, "q")
	for _, name := range []string{"a", "b/c", "b-c/d", "b/c.d/e", "b/f/g", "b/f/h", "b0/1/2"} {
		for _, x := range []*Target{target, other} {
			if err := put(x, t.Context(), name, []byte(name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := put(other, t.Context(), "z/z", []byte("z")); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string][]string{
		"": {"b", "b-c", "b0"}, "b/": {"c.d", "f"}, "b/f/": nil, "b0/": {"1"}, "no/": nil,
	} {
		got, err := target.Folders(t.Context(), prefix)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("folders of %q: %q, %v, want %q", prefix, got, err, want)
		}
	}
}

func TestFoldersOfManyPages(t *testing.T) {
	target := open(t, targettest.StartS3(t), "")
	var want []string
	for i := range 1003 {
		name := fmt.Sprintf("%04d", i)
		want = append(want, name)
		if err := put(target, t.Context(), "x/"+name+"/y", nil); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := target.Folders(t.Context(), "x/"); err != nil || !slices.Equal(got, want) {
		t.Errorf("%d folders, %v, want %d", len(got), err, len(want))
	}
}
