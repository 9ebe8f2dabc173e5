package archiver_test

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archivertest"
	"github.com/varve-db/varve/archiver/s3"
	"github.com/varve-db/varve/internal/testkit"
)

// TestRestoreFromABucket restores from a real S3 server, at first over a line that
// cuts answers off and fails: what does not arrive whole is asked for again.
func TestRestoreFromABucket(t *testing.T) {
	server := archivertest.StartS3(t)
	proxy := archivertest.StartProxy(t, server.Endpoint)
	target, err := s3.Open(t.Context(), s3.Options{Bucket: server.Bucket, Endpoint: proxy.URL, Region: server.Region})
	testkit.Must(t, err)
	l, v, _ := grown(t, 80, 150)
	for _, name := range v.names() {
		b := v.objects[name]
		testkit.Must(t, target.Put(t.Context(), name, bytes.NewReader(b), int64(len(b)), sha256.Sum256(b)))
	}
	_, err = archiver.Init(t.Context(), target)
	testkit.Must(t, err)
	a, err := archiver.OpenArchive(t.Context(), target)
	testkit.Must(t, err)
	m := l.moments[100]
	plan := planOf(t, a, l.uuid, archiver.Point{Time: m.at})
	readsInPlace(t, "seed 80, in place", archiver.NewReader(t.Context(), a, plan, nil), m.want)

	segments := func(r *http.Request) bool { return r.Method == "GET" && strings.HasSuffix(r.URL.Path, ".seg") }
	before := len(proxy.Requests())
	proxy.Inject(3, segments, archivertest.CutReply(2000))
	proxy.Inject(1, segments, archivertest.Answer(503, "SlowDown"))
	dest := filepath.Join(t.TempDir(), "dest")
	restoreTo(t, a, plan, dest)
	opensTo(t, "seed 80", dest, m.want)
	if n, want := len(proxy.Requests())-before, len(plan.Segments)+4; n < want {
		t.Errorf("%d requests, want at least %d", n, want)
	}
	restoreTo(t, a, planOf(t, a, l.uuid, archiver.Point{}), dest)
	opensTo(t, "seed 80, freshened", dest, l.now)
	for name := range strings.FieldsSeq(names(t, dest)) {
		if strings.HasSuffix(name, ".tmp") {
			t.Errorf("%s is left", name)
		}
	}
}
