// Package pages keeps what was read of objects by range, in bounded memory: pages of 32 KiB, and
// values by key. It knows nothing of archives. The invariant: what is cached never changes,
// since an object is never overwritten, so it may be shared between readers.
package pages
