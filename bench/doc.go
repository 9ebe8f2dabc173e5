// Command bench does the same work on varve and on its peers and says how they
// compare.
//
//	go run . -quick                        a look, in a few minutes
//	go run . -readme ../README.md          all of it, and the table of the README
//	go run . -only '^get/' -stores varve,bbolt -rounds 5
//	go run . -only '^integrity/' -gb 4     opening, checking, repairing
//	go run . -only '^archive/' -gb 8       shipping, restoring, backups
//	go run . -from results/a.json,results/b.json -readme ../README.md
//
// -list names the experiments; each can be run by itself. -dir says on which disk the
// stores are made: in a folder that is removed at the end, and at a signal. The experiments
// of integrity/ and archive/ take up to five times the gigabytes that -gb says.
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
// # Integrity and archive
//
// The experiments of integrity/ and archive/ compare varve not with other stores, but with other
// ways to do the same with its files: cp, sync, sha256sum, a plain read, the S3 SDK's PutObject.
// Their sides take turns in the same way, and both sides of a ratio are from the same run. -gb
// says how large their largest store is; where that is less than what a target is set for, the
// target's title says how much it was. Values have 1 KiB.
//
//   - integrity/open: each level, from the page cache, none, tail and log in turns, seven times.
//     The newest log holds 60 MiB (less in a store below 1 GB). Memory of full is the peak
//     memory of the process less the peak of one that opens at none: both without the pages of
//     files, since the segments are mapped and the page cache is not the store's to give back;
//     with those pages it is in the results, too.
//   - integrity/check: check in full beside sha256sum, two at a time, and beside
//     crypto/sha256 in two goroutines; then, with the page cache dropped by posix_fadvise
//     before each turn, beside the better of one and two plain readers.
//   - integrity/growth: opening, checking, rebuilding a table, healing from a copy, in
//     stores of a quarter, half and all of -gb. Work counts as linear where a byte of
//     the largest costs at most 1.25 times that of the smallest.
//   - archive/ship, archive/restore: a quarter of -gb (large segments: half, in
//     eight), into a fresh folder or bucket, read from the page cache. Rates are of the work
//     alone, without the start of the process; cp has its start in.
//   - archive/incremental: 63 MiB of objects, one segment, added to a store of -gb and to one of
//     an eighth, both in archives before; then ship and backup. Bytes are those of system calls
//     (/proc/self/io). RocksDB's backups, the model for their speed, are not measured: that
//     needs a C library.
//   - archive/one object: the oldest, one in the middle, a late one, each by a process
//     of its own, with the server's files out of the page cache. The slowest counts,
//     start of the process included, and the greatest share of bytes.
//   - archive/beside: one writer, puts one after the other for ten seconds, without and with
//     an archiver at 50 MB/s, which has a backlog of a quarter of -gb, up to 1 GB, to
//     send from the begin on.
//   - archive/catalog: 100,000 tiny logs and 1,000 backups (fewer where -gb is below 4), made as
//     files but real; one new segment is shipped and backed up, ten backups are given up. On S3
//     these files were not put by the server, so it knows no hashes of them.
//
// The S3 server is versitygw on loopback, which .ci/tools installs, or VARVE_VERSITYGW
// names. Without it what needs it is skipped, with a note below the tables, as is what this
// system cannot do. The server shares the cores with the client, on both sides alike.
//
// What is read is checked: the length of each value, and a sum of bytes over
// all of them.
package main
