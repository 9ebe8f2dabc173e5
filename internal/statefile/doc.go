// Package statefile writes small files beside a store so that a kill or a power cut leaves the old
// one or the new one: checked JSON, temporary names, folders that are synced once for many. It knows
// nothing of what the files say.
package statefile
