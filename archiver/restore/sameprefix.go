package restore

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// samePrefix checks that a log is the beginning of the sealed segment that replaces it.
func (r *restorer) samePrefix(old *copyState) error {
	ref := old.hdr.Ref
	i := slices.IndexFunc(r.ready, func(x ready) bool { return x.ref == ref && !x.placed })
	if i < 0 || old.log.Sealed {
		return nil
	}
	a, err := r.fsys.Open(old.log.Name)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := r.fsys.Open(segment.FileName(ref.ID, segment.TempExt))
	if err != nil {
		return err
	}
	defer b.Close()
	if same, err := sameBytes(a, b, old.v.End); err != nil || same {
		return err
	}
	return &DivergedError{Dest: r.fsys.Path("."), Reason: fmt.Sprintf("its log %v is not the beginning of the one in the archive", ref),
		Timeline: ref.Timeline, Seq: old.seq, Plan: r.plan.Timeline, PlanSeq: r.plan.Seq}
}

// sameBytes compares the first n bytes of two files.
func sameBytes(a, b vfs.File, n int64) (bool, error) {
	x, y := make([]byte, min(n, 1<<20)), make([]byte, min(n, 1<<20))
	for off := int64(0); off < n; off += int64(len(x)) {
		x, y = x[:min(int64(len(x)), n-off)], y[:min(int64(len(x)), n-off)]
		if m, err := a.ReadAt(x, off); m < len(x) {
			return false, err
		}
		if m, err := b.ReadAt(y, off); m < len(y) {
			size, sizeErr := b.Size()
			return false, cmp.Or(sizeErr, ifLonger(size, off+int64(len(y)), err))
		}
		if !bytes.Equal(x, y) {
			return false, nil
		}
	}
	return true, nil
}

// ifLonger returns err, but nil where the file is shorter than the read needs: then the files
// differ.
func ifLonger(size, need int64, err error) error {
	if size < need {
		return nil
	}
	return err
}
