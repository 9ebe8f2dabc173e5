package restore_test

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/inplace"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/s3"
	"github.com/varve-db/varve/archiver/target/targettest"
	"github.com/varve-db/varve/internal/testkit"
)

// TestRestoreFromABucket restores from a real S3 server, at first over a line that
// cuts answers off and fails: what does not arrive whole is asked for again.
func TestRestoreFromABucket(t *testing.T) {
	server := targettest.StartS3(t)
	proxy := targettest.StartProxy(t, server.Endpoint)
	to, err := s3.Open(t.Context(), s3.Options{Bucket: server.Bucket, Endpoint: proxy.URL, Region: server.Region})
	testkit.Must(t, err)
	l, v, _ := archivetest.Grown(t, 80, 150)
	for _, name := range v.Names() {
		b := v.Objects[name]
		testkit.Must(t, to.Put(t.Context(), name, bytes.NewReader(b), int64(len(b)), sha256.Sum256(b)))
	}
	_, err = target.Init(t.Context(), to)
	testkit.Must(t, err)
	a, err := archive.Open(t.Context(), to)
	testkit.Must(t, err)
	m := l.Moments[100]
	plan := archivetest.PlanOf(t, a, l.UUID, history.Point{Time: m.At})
	archivetest.ReadsInPlace(t, "seed 80, in place", inplace.NewReader(t.Context(), a, plan, nil), m.Want)

	segments := func(r *http.Request) bool { return r.Method == "GET" && strings.HasSuffix(r.URL.Path, ".seg") }
	before := len(proxy.Requests())
	proxy.Inject(3, segments, targettest.CutReply(2000))
	proxy.Inject(1, segments, targettest.Answer(503, "SlowDown"))
	dest := filepath.Join(t.TempDir(), "dest")
	archivetest.RestoreTo(t, a, plan, dest)
	archivetest.OpensTo(t, "seed 80", dest, m.Want)
	if n, want := len(proxy.Requests())-before, len(plan.Segments)+4; n < want {
		t.Errorf("%d requests, want at least %d", n, want)
	}
	archivetest.RestoreTo(t, a, archivetest.PlanOf(t, a, l.UUID, history.Point{}), dest)
	archivetest.OpensTo(t, "seed 80, freshened", dest, l.Now)
	for name := range strings.FieldsSeq(archivetest.Names(t, dest)) {
		if strings.HasSuffix(name, ".tmp") {
			t.Errorf("%s is left", name)
		}
	}
}
