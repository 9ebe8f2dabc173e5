package crashfs

import (
	"math/rand/v2"
	"testing"
)

// TestNoFileIsLostOrDoubled makes random changes of names and looks at every
// kind of state: a file has at most one name, and one that had a durable name,
// and was neither removed nor replaced since, has exactly one.
func TestNoFileIsLostOrDoubled(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 0))
		fsys := New()
		for range 30 {
			randomChange(rng, fsys)
			each(fsys, 1, func(s State, c *FS) {
				checkNames(t, fsys, c, seed, s)
			})
		}
	}
}

func randomChange(rng *rand.Rand, fsys *FS) {
	names := []string{"a", "b", "c", "d/a", "d/b", "e/a"}
	name, to := names[rng.IntN(len(names))], names[rng.IntN(len(names))]
	dir := []string{".", "d", "e"}[rng.IntN(3)]
	switch rng.IntN(8) { // what cannot be done is an error, and no change
	case 0, 1:
		_, _ = fsys.Create(name)
	case 2, 3:
		_ = fsys.Rename(name, to)
	case 4:
		_ = fsys.Remove(name)
	case 5:
		_ = fsys.SyncDir(dir)
	case 6:
		_ = fsys.Mkdir(dir)
	case 7:
		_ = fsys.Remove(dir)
	}
}

func checkNames(t *testing.T, fsys, c *FS, seed uint64, s State) {
	t.Helper()
	count := map[uint64]int{}
	for name, in := range c.tree.names {
		count[in.ino]++
		if !rooted(c.tree.names, name) {
			t.Errorf("seed %d, %v: %s is in no folder", seed, s, name)
		}
	}
	for ino, n := range count {
		if n > 1 {
			t.Errorf("seed %d, %v: file %d has %d names", seed, s, ino, n)
		}
	}
	for name, in := range fsys.tree.disk {
		if in.links > 0 && rooted(fsys.tree.disk, name) && count[in.ino] != 1 {
			t.Errorf("seed %d, %v: file %d, durable as %s, is lost", seed, s, in.ino, name)
		}
	}
}
