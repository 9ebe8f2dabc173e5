package audit_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/varve-db/varve/archiver/audit"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/target/s3"
	"github.com/varve-db/varve/archiver/target/targettest"
	"github.com/varve-db/varve/internal/testkit"
)

// TestAuditAndRepairOfABucket audits and repairs a bucket of a real S3 server, over a line
// that cuts answers off and fails.
func TestAuditAndRepairOfABucket(t *testing.T) {
	server := targettest.StartS3(t)
	proxy := targettest.StartProxy(t, server.Endpoint)
	target, err := s3.Open(t.Context(), s3.Options{Bucket: server.Bucket, Endpoint: proxy.URL, Region: server.Region})
	testkit.Must(t, err)
	s := newAuditSceneIn(t, 8, target)
	segments := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, ".seg") }
	proxy.Inject(2, segments, targettest.Answer(503, "SlowDown"))
	proxy.Inject(1, func(r *http.Request) bool { return r.Method == "GET" && segments(r) }, targettest.CutReply(100))
	if rep, found := s.audit(true); len(found) > 0 || rep.Objects != len(s.logs) {
		t.Fatalf("found %q; %+v", found, rep)
	}
	lost, bad := s.logs[1], s.logs[3]
	testkit.Must(t, target.Delete(t.Context(), archivetest.ObjectOf(s.store, lost)))
	testkit.Must(t, target.Delete(t.Context(), archivetest.ObjectOf(s.store, bad)))
	b, err := os.ReadFile(s.local(bad))
	testkit.Must(t, err)
	damaged := flip(bytes.Clone(b))
	testkit.Must(t, target.Put(t.Context(), archivetest.ObjectOf(s.store, bad), bytes.NewReader(damaged), int64(len(damaged)), sha256.Sum256(damaged)))
	want := []string{fmt.Sprintf("object is lost %d", lost.ID), fmt.Sprintf("object differs %d", bad.ID)}
	if _, found := s.audit(false); !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	proxy.Inject(2, segments, targettest.Answer(500, "InternalError"))
	rep, err := audit.Repair(t.Context(), s.archive(), audit.RepairOptions{Store: os.DirFS(s.dir), Receipts: s.receipts()})
	if err != nil || len(rep.Repaired) != 2 || len(rep.Failed) != 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
	if info, err := target.Sum(t.Context(), archivetest.ObjectOf(s.store, bad)+".bad-1"); err != nil || info.SHA256 != sha256.Sum256(damaged) {
		t.Errorf("the damaged bytes: %+v, %v", info, err)
	}
	if _, found := s.audit(true); len(found) > 0 {
		t.Errorf("after it: %q", found)
	}
}
