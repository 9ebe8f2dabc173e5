// Package pages keeps what was read of objects by range, in bounded memory: pages of 32 KiB,
// and values by key. It knows nothing of archives.
package pages
