package archiver

import (
	"context"
	"fmt"

	"github.com/varve-db/varve/segment"
)

// OpenDirFS is openDirFS, for tests that cut its power.
var OpenDirFS = openDirFS

// PutBackup stores the manifest of a backup of segments, as a store at a tip needs them.
func (a *Archive) PutBackup(ctx context.Context, store segment.UUID, tip segment.Ref, seq uint64, at int64, refs []segment.Ref) (*Backup, error) {
	b := &Backup{Store: store, Tip: tip, Seq: seq, LogTime: at, Segments: setOf(refs).normal()}
	return b, a.putBackup(ctx, b)
}

// TempOf is a temporary name of a process.
func TempOf(pid int) string { return fmt.Sprintf("%s%s-%d-X", tempPrefix, machine(), pid) }
