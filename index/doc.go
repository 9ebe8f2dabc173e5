// Package index maps keys to the places of their records: in memory, ordered
// by key, rebuilt from the segments each time a store is opened.
//
// Goals: few bytes for each key beyond its own; lookups that compare integers
// whether keys are random or share long prefixes; iteration at the speed of
// memory; snapshots in constant time; nothing that the garbage collector must
// walk for each key. Non-goals: durability (the logs are the only truth, this
// is derived), files, and locks: the store serializes its writers.
//
// The parts, from the bottom:
//
//   - An arena holds the bytes of all keys, in chunks that are appended to and
//     never changed. A chunk that is less than half alive is evacuated, a few
//     keys with each change.
//   - A leaf is a sorted array of up to 128 keys, without pointers: for each
//     key eight bytes that tell it from its neighbors, where its bytes stand
//     in the arena, and its Loc.
//   - A page is a sorted array of up to 254 separators and the leaves that they
//     lead to, with eight telling bytes for each separator as in a leaf.
//   - A directory, a B-tree of github.com/google/btree, leads to the pages; while
//     they are few, two arrays lead there faster.
//
// The invariant: what a snapshot can reach is never written again. A leaf or
// page that is older than the newest open snapshot is copied before it is changed,
// the directory is cloned by copy-on-write, and bytes in an arena stay where they
// are until the collector finds that nobody refers to their chunk. So readers
// of a snapshot need no lock, and no reader can hold up a writer.
//
// An Index is not safe for concurrent use by itself: any number of readers
// ([Index.Get], [Index.Live], [Index.Len], [Index.Memory]) may run together, a
// writer only alone. [Index.Locate] is a reader that may also run beside
// [Index.Snapshot]. A [Snapshot] may be read by any number of goroutines
// while the Index is written.
package index
