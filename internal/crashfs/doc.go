// Package crashfs is a file system in memory, for tests, that remembers what
// was synced and what was not. From any moment of a workload it yields the
// states that a power cut could leave on the disk, and it makes any call fail.
// It implements [vfs.FS], so that what runs on a disk runs on it unchanged.
//
//	fsys := crashfs.New()
//	rec := fsys.Record()
//	workload(fsys)
//	for n := range rec.Ops() + 1 {
//		for state, crashed := range rec.At(n).States(seed) {
//			if err := verify(crashed); err != nil {
//				t.Errorf("cut after %v, %v: %v", rec.Op(n), state, err)
//			}
//		}
//	}
//
// # The model of the disk
//
// What is durable:
//
//   - the bytes and the length of a file, as of its last good Sync. Not its name.
//   - the names of a folder, as of its last good SyncDir. Not the bytes behind
//     them, and not the name of the folder itself, which is its parent's. A
//     rename between two folders is durable once both are synced.
//   - permission bits, with the next Sync of the file or SyncDir of its folder.
//
// What is not durable may be lost, and the legal states are, for bytes:
//
//   - Whatever was written since the last Sync may be there or not, in any
//     subset of its 512-byte sectors, each as of any of its writes. Sectors are
//     also torn, at any byte, by the write that the power cut met.
//   - The length may be the synced one, the present one, or one between. It may
//     have grown without the bytes: then zeros, garbage, or the old bytes of
//     freed files stand there (file systems that journal lengths but not data).
//   - Bytes that were synced stay, also those that share a sector with lost ones.
//
// And for names:
//
//   - Each create, rename, remove and mkdir is kept or lost by itself, but what
//     happened to one name is kept in order: one directory entry is one place
//     on the disk.
//   - A rename is kept or lost as a whole: the file stands under its old name
//     or its new one, never both, never neither, and a file that it replaces
//     stays until then. It makes no byte durable.
//   - A link is a name of its own, kept or lost whatever becomes of the file's
//     other names. A file all of whose names are lost is lost.
//   - A name may be kept though the bytes of its file are not: an empty file.
//   - A file in a folder whose own name was lost is lost. So is all in an FS whose
//     own name was lost (see NewUnsynced): then the FS's folder is absent.
//   - A folder that was renamed has its old name or its new one, and what is in it
//     is found under that. A sync of the folder makes durable what is in it, not
//     its own name.
//
// A Sync that fails loses what it was to write. As in Linux the pages read
// back as written and count as clean, so a later Sync succeeds and does not
// make them durable: they die in the next power cut. Only what is written
// again after the failure is written. (A page that shares its 4 KiB with a
// rewritten one would be saved on Linux; here it is not.)
//
// # Out of the model
//
// Damage to durable bytes (tests do that with [FS.SetBytes]); disks that
// acknowledge a flush and do not do it; sectors of a size other than 512; file
// systems that tear a rename; symbolic links;
// memory maps (Map is vfs.ErrUnsupported, so that the path without is the one
// tested); times, but for that of a file's last change, which is durable at once. Who
// holds a lock, the first bytes of its file, is durable at once, too, since nothing may
// depend on it, and states that differ in it would teach nothing; the bytes behind it are
// like those of any file. Room that was reserved is given back by a power cut.
package crashfs
