package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/varve-db/varve/archiver/backup"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// A copy is that of a backup if its segments are, every byte of them, and no others.
func TestCheckCopyHoldsACopyAgainstTheBackup(t *testing.T) {
	s := newAuditScene(t, 9)
	b, err := backup.Create(t.Context(), s.archive(), backup.CreateOptions{Store: os.DirFS(s.dir), Receipts: s.receipts()})
	testkit.Must(t, err)
	testkit.Must(t, backup.CheckCopy(t.Context(), b, os.DirFS(s.dir)))
	corrupt := func(err error) bool { _, ok := errors.AsType[*segment.CorruptError](err); return ok }
	other := *b
	other.Digest[7] ^= 1
	if err := backup.CheckCopy(t.Context(), &other, os.DirFS(s.dir)); !corrupt(err) {
		t.Errorf("another digest: %v", err)
	}
	s.change(filepath.Join(s.dir, b.Tip.ID.String()+".seg"), flip)
	if err := backup.CheckCopy(t.Context(), b, os.DirFS(s.dir)); !corrupt(err) {
		t.Errorf("a flipped bit: %v", err)
	}
	s.remove(s.local(b.Tip))
	if err := backup.CheckCopy(t.Context(), b, os.DirFS(s.dir)); !errors.Is(err, target.ErrNotExist) {
		t.Errorf("a missing segment: %v", err)
	}
}
