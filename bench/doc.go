// Command bench does the same work on varve and on its peers and says how they
// compare.
//
//	go run . -quick                        a look, in a few minutes
//	go run . -readme ../README.md          all of it, and the table of the README
//	go run . -only '^get/' -stores varve,bbolt -rounds 5
//	go run . -from results/a.json,results/b.json -readme ../README.md
//
// # How it measures
//
// An experiment is one workload with one kind of key and one size of value. Each
// store runs it in a process of its own (this binary again, with the flag
// -child), so that heaps, caches and goroutines do not mix. The stores take
// turns, and that for several rounds, so that a noisy moment of the machine hits
// all of them; the figure is the median of the rounds. Stores that no target is
// measured against run in the first round only. Before each turn what earlier
// ones left unwritten is flushed to the disk, outside the time taken; no cache is
// dropped.
//
// Reading experiments share a fixture: a store filled in batches, brought to
// rest and closed. Keys, values and the order of access follow from fixed
// seeds. Values are random bytes, so that no store gains by compression.
//
// All stores have their default options, but for what the file of each says.
// pebble-large is pebble with more memory than its defaults give it.
//
// What is read is checked: the length of each value, and a sum of bytes over
// all of them.
package main
