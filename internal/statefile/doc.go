// Package statefile writes small files beside a store so that a kill or a power cut leaves the
// old file or the new one. It has the checked JSON, the temporary names, and the folders that
// are synced once for many callers. It knows nothing of what the files say.
package statefile
