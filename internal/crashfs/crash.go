package crashfs

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"io/fs"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
)

// Crash returns a state that a power cut at this moment could leave, as a new
// file system on which everything is durable. It depends on nothing but the
// state, the seed and the kind. The FS itself goes on, apart from it.
func (f *FS) Crash(seed uint64, kind Kind) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crash(seed, kind)
}

func (f *FS) crash(seed uint64, kind Kind) *FS {
	rng := rand.New(rand.NewPCG(seed, uint64(kind.Data)<<8|uint64(kind.Names)))
	root, names := f.tree.after(f.keptNames(rng, kind.Names))
	kept := map[*inode]bool{root: true}
	for _, in := range names {
		kept[in] = true
	}

	c := New()
	c.lastIno, c.clock, c.capacity, c.noBirths = f.lastIno, f.clock, f.capacity, f.noBirths
	d := drawing{rng: rng, kind: kind.Data}
	d.stale = append(d.stale, f.graves...)
	all := f.tree.inodes()
	for _, in := range all {
		if !kept[in] && len(in.data) > 0 {
			d.stale = append(d.stale, in.freeze()) // its blocks are free now
		}
	}
	d.point(kept, all)
	to := map[*inode]*inode{}
	for _, in := range all {
		if kept[in] {
			to[in] = in.survivor(d.content(in), d.mode(in, kind.Names))
			c.inodes[in.ino] = to[in]
		}
	}
	c.tree = newTree(to[root])
	for name, in := range names {
		c.tree.names[name] = to[in]
		to[in].links++
	}
	for name, in := range c.tree.names {
		c.tree.disk[c.tree.entry(name)] = in
	}
	c.graves = lastGraves(d.stale, all)
	return c
}

// keptNames draws which changes of names are kept.
func (f *FS) keptNames(rng *rand.Rand, kind NameKind) []bool {
	keep := make([]bool, len(f.tree.pending))
	point := rng.IntN(len(keep) + 1)
	for i := range keep {
		switch kind {
		case NamesAll:
			keep[i] = true
		case NamesPrefix:
			keep[i] = i < point
		case NamesEach:
			keep[i] = rng.IntN(2) == 0
		}
	}
	return keep
}

// survivor returns the inode with the content and mode that the disk has.
func (in *inode) survivor(content []byte, mode fs.FileMode) *inode {
	c := &inode{ino: in.ino, birth: in.birth, changed: in.changed, dir: in.dir, mode: mode, diskMode: mode}
	c.set(content)
	return c
}

// lastGraves adds to the freed contents those of files that lost bytes: they
// were written once, and a later state may show them.
func lastGraves(graves [][]byte, all []*inode) [][]byte {
	for _, in := range all {
		if len(in.writes) > 0 {
			graves = append(graves, in.freeze())
		}
	}
	return graves[max(0, len(graves)-maxGraves):]
}

// State names one state after a power cut: Crash(Seed, Kind) is it.
type State struct {
	Kind Kind
	Seed uint64
}

// String returns the name that messages have.
func (s State) String() string { return fmt.Sprintf("%v, seed %d", s.Kind, s.Seed) }

// perKind is how many seeds States tries of a kind to which a seed matters.
const perKind = 2

// States returns states of every kind that makes a difference now, without
// those that are equal. The same state and seed give the same sequence. The FS
// must not be changed while they are drawn, but each of them may.
func (f *FS) States(seed uint64) iter.Seq2[State, *FS] {
	return func(yield func(State, *FS) bool) {
		seen := map[uint64]bool{}
		hash := maphash.MakeSeed()
		data, names := f.unsynced()
		for _, kind := range Kinds {
			if !data && kind.Data != DataNone || !names && kind.Names != NamesNone {
				continue
			}
			for i := range uint64(perKind) {
				if i > 0 && kind.fixed() {
					break
				}
				s := State{kind, seed*perKind + i}
				c := f.Crash(s.Seed, kind)
				sum := f.sum(hash, c)
				if seen[sum] {
					continue
				}
				seen[sum] = true
				if !yield(s, c) {
					return
				}
			}
		}
	}
}

// unsynced reports whether there are bytes, and names or modes, that a crash could lose.
func (f *FS) unsynced() (data, names bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	names = len(f.tree.pending) > 0
	for _, in := range f.tree.inodes() {
		data = data || len(in.writes) > 0
		names = names || in.mode != in.diskMode
	}
	return data, names
}

// sum hashes what can differ between the crash states of f.
func (f *FS) sum(seed maphash.Seed, c *FS) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	var h maphash.Hash
	h.SetSeed(seed)
	number := func(n uint64) { h.Write(binary.LittleEndian.AppendUint64(nil, n)) }
	if c.tree.root == nil {
		number(0) // all is lost, which is not the same as an empty folder
	}
	for _, name := range slices.Sorted(maps.Keys(c.tree.names)) {
		in := c.tree.names[name]
		number(uint64(len(name)))
		h.WriteString(name)
		number(in.ino)
		number(uint64(in.mode))
		if from := f.inodes[in.ino]; from == nil || len(from.writes) > 0 {
			number(uint64(len(in.data)))
			h.Write(in.data)
		}
	}
	return h.Sum64()
}
