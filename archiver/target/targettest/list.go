package targettest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/varve-db/varve/archiver/target"
)

// manyNames are more than a server lists in one answer, in folders whose order
// is not that of their names without the slash.
func manyNames() []string {
	names := []string{"a", "b-c", "b.c", "b/c", "b/c.d", "b0c", "A", "zz/top"}
	for i := range 1100 {
		dir := []string{"s/1", "s-1/1", "s.1/1", "s/1-", "s/1.1", "t/0123456789abcdef"}[i%6]
		names = append(names, fmt.Sprintf("%s/%020d.seg", dir, i*i))
	}
	slices.Sort(names)
	return names
}

func lists(t reporter, target target.Target) {
	names := manyNames()
	putAll(t, target, names)
	prefixes := []string{"", "b", "b/", "b/c", "s", "s/", "s/1", "s/1/", "s/1/0000000000000000", "t/0123456789abcdef/", "no", "b/c/", "zz/top"}
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, prefix := range prefixes {
		afters := []string{"", "~", "-", "b", "b/", "b/c", "b/c.", "s/1", "s/1/", "s/1/~", "s.", "t"}
		for range 5 {
			name := names[rng.IntN(len(names))]
			afters = append(afters, name, name[:rng.IntN(len(name))])
		}
		if prefix != "" && !strings.HasPrefix(prefix, "s") {
			afters = afters[:12]
		}
		for _, after := range afters {
			var want, got []string
			for _, name := range names {
				if strings.HasPrefix(name, prefix) && name > after {
					want = append(want, name)
				}
			}
			for _, info := range list(t, target, prefix, after) {
				got = append(got, info.Name)
			}
			if !slices.Equal(got, want) {
				t.Errorf("seed %d: prefix %q after %q: %s", seed, prefix, after, difference(got, want))
			}
		}
	}
	for _, info := range list(t, target, "b", "") {
		stat, err := target.Stat(t.Context(), info.Name)
		if err != nil || stat.Size != info.Size || info.Size != int64(len(info.Name)) || !stat.Modified.Equal(info.Modified) {
			t.Errorf("listed is %+v, Stat says %+v, %v", info, stat, err)
		}
	}
}

// putAll puts an object that holds its name under each of the names.
func putAll(t reporter, target target.Target, names []string) {
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := worker; i < len(names); i += 8 {
				if err := tryPut(t.Context(), target, names[i], []byte(names[i])); err != nil {
					t.Errorf("put %s: %v", names[i], err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// difference says where a list goes wrong.
func difference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("ends after %d of %d, before %s", len(got), len(want), want[i])
		case i >= len(want):
			return fmt.Sprintf("goes on after all %d with %s", len(want), got[i])
		case got[i] != want[i]:
			return fmt.Sprintf("number %d is %s, want %s", i, got[i], want[i])
		}
	}
	return "equal"
}

func listEnds(t reporter, target target.Target) {
	putAll(t, target, []string{"a/1", "a/2", "b/1", "c"})
	for stop := range 4 {
		n := 0
		for _, err := range target.List(t.Context(), "", "") {
			if err != nil {
				t.Fatalf("list: %v", err)
			}
			if n++; n > stop {
				break
			}
		}
		if n != stop+1 {
			t.Errorf("yielded %d, want %d", n, stop+1)
		}
	}
}

func contexts(t reporter, target target.Target) {
	b := content(1, 100_000)
	put(t, target, "a/b", b)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, stat := target.Stat(ctx, "a/b")
	_, sum := target.Sum(ctx, "a/b")
	_, open := read(ctx, target, "a/b", 0, -1)
	var listed error
	for _, listed = range target.List(ctx, "", "") {
		continue
	}
	for call, err := range map[string]error{
		"Put": tryPut(ctx, target, "a/c", b), "Stat": stat, "Sum": sum, "Open": open, "List": listed,
		"Delete": target.Delete(ctx, "a/b"), "Probe": target.Probe(ctx),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want that it was cancelled", call, err)
		}
	}
	holds(t, target, "a/b", b)
	lacks(t, target, "a/c")
}

func deletes(t reporter, target target.Target) {
	putAll(t, target, []string{"a/b", "a/bb", "a/c/d", "c"})
	for _, name := range []string{"a/b", "a/c/d", "c"} {
		for range 2 {
			if err := target.Delete(t.Context(), name); err != nil {
				t.Errorf("delete %s: %v", name, err)
			}
		}
		lacks(t, target, name)
	}
	holds(t, target, "a/bb", []byte("a/bb"))
	other := content(1, 1000)
	put(t, target, "a/b", other)
	holds(t, target, "a/b", other)
	if infos := list(t, target, "", ""); len(infos) != 2 {
		t.Errorf("left are %v", infos)
	}
}

func probe(t reporter, target target.Target) {
	for range 2 {
		if err := target.Probe(t.Context()); err != nil {
			t.Errorf("probe: %v", err)
		}
		if infos := list(t, target, "", ""); len(infos) > 0 {
			t.Errorf("the probe left %v", infos)
		}
	}
	putAll(t, target, []string{"a/b", "c"})
	if err := target.Probe(t.Context()); err != nil {
		t.Errorf("probe of a target in use: %v", err)
	}
	if infos := list(t, target, "", ""); len(infos) != 2 {
		t.Errorf("after the probe there are %v", infos)
	}
}
