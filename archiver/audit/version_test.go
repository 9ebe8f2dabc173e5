package audit_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/audit"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/restore"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// Where a segment has its version: in the header, and in the trailer.
var versionsAt = map[string]func(b []byte) *byte{
	"header":  func(b []byte) *byte { return &b[8] },
	"trailer": func(b []byte) *byte { return &b[len(b)-12] },
}

// A damaged version in the archive is damage: it is found, named with what to do, and put
// back from the store.
func TestADamagedVersionInTheArchiveIsRepaired(t *testing.T) {
	for where, at := range versionsAt {
		s := newAuditScene(t, 8)
		ref := s.logs[1]
		s.change(s.object(ref), func(b []byte) []byte { *at(b) ^= 4; return b })
		if _, got := s.audit(true); !slices.Equal(got, []string{fmt.Sprintf("%s %d", audit.Damaged, ref.ID)}) {
			t.Errorf("%s: the audit finds %q", where, got)
		}
		a := s.archive()
		plan, err := history.At(t.Context(), a, s.store, history.Point{Timeline: s.logs[len(s.logs)-1].Timeline})
		if err == nil {
			_, err = restore.Run(t.Context(), a, filepath.Join(t.TempDir(), "restored"), restore.Options{Plan: plan})
		}
		if _, ok := errors.AsType[*segment.CorruptError](err); !ok || !strings.Contains(err.Error(), string(archive.PutBack)) {
			t.Errorf("%s: the restore says %v", where, err)
		}
		rep, err := audit.Repair(t.Context(), s.archive(), audit.RepairOptions{Store: os.DirFS(s.dir), Receipts: s.receipts()})
		if err != nil || len(rep.Repaired) != 1 || len(rep.Failed) > 0 || rep.Repaired[0].Aside == "" {
			t.Errorf("%s: %+v, %v", where, rep, err)
		}
		if _, got := s.audit(true); len(got) > 0 {
			t.Errorf("%s: after it the audit finds %q", where, got)
		}
	}
}

// What a newer program wrote is left where it is.
func TestRepairLeavesANewerFormatAlone(t *testing.T) {
	s := newAuditScene(t, 9)
	ref := s.logs[1]
	var newer []byte
	s.change(s.object(ref), func(b []byte) []byte {
		n := binary.LittleEndian.Uint32(b[12:])
		b[8]++
		binary.LittleEndian.PutUint32(b[n-4:], crc32.Checksum(b[:n-4], crc32.MakeTable(crc32.Castagnoli)))
		newer = b
		return b
	})
	if found, _ := s.audit(true); len(found.Findings) != 1 || found.Findings[0].Next != segment.UseNewer {
		t.Errorf("the audit finds %+v", found.Findings)
	}
	rep, err := audit.Repair(t.Context(), s.archive(), audit.RepairOptions{Store: os.DirFS(s.dir), Receipts: s.receipts()})
	testkit.Must(t, err)
	if len(rep.Repaired) != 0 || len(rep.Failed) != 1 || !strings.Contains(rep.Failed[0].Problem, "newer varve") {
		t.Errorf("%+v", rep)
	}
	if got, err := os.ReadFile(s.object(ref)); err != nil || !bytes.Equal(got, newer) {
		t.Errorf("the object was changed: %v", err)
	}
}

// A heartbeat of a newer format is not worthless, as a damaged one is.
func TestAuditLeavesANewerHeartbeatAlone(t *testing.T) {
	for format, next := range map[string]string{"99": "newer varve", "0": "delete it"} {
		s := newAuditScene(t, 11)
		h := &archive.Heartbeat{Store: s.store, Timeline: s.logs[1].Timeline, At: time.Now()}
		_, err := s.archive().PutHeartbeat(t.Context(), h)
		testkit.Must(t, err)
		s.change(filepath.Join(s.root, filepath.FromSlash(h.Object())), func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"format": 1`), []byte(`"format": `+format), 1)
		})
		rep, got := s.audit(false)
		if !slices.Equal(got, []string{audit.Damaged + " 0"}) || !strings.Contains(string(rep.Findings[0].Next), next) {
			t.Errorf("format %s: %+v", format, rep.Findings)
		}
	}
}

// A segment of the store with a damaged version is set aside as damaged.
func TestADamagedVersionInTheStoreIsNotShipped(t *testing.T) {
	for where, at := range versionsAt {
		s := newAuditScene(t, 10)
		ref := s.logs[1]
		s.remove(s.object(ref), s.receipt(ref))
		s.change(s.local(ref), func(b []byte) []byte { *at(b) ^= 4; return b })
		a, err := archiver.New(archiver.Options{Store: os.DirFS(s.dir), Receipts: s.receipts(), Targets: []target.Target{s.target}})
		testkit.Must(t, err)
		_, _ = a.Once(t.Context())
		st := a.Status()
		if len(st.Damaged) != 1 || !strings.Contains(st.Damaged[0].Reason, "corrupt") || !strings.Contains(st.Damaged[0].Reason, "version") {
			t.Errorf("%s: %+v", where, st.Damaged)
		}
		if _, err := os.Stat(s.object(ref)); err == nil {
			t.Errorf("%s: it was shipped", where)
		}
	}
}
