package archiver_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archivertest"
	"github.com/varve-db/varve/archiver/s3"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
)

// TestHeartbeatsInABucket of a real S3 server, over a line on which requests fail and answers
// are lost: one takes the place of another, and a moment that the newest covers is the newest
// state.
func TestHeartbeatsInABucket(t *testing.T) {
	server := archivertest.StartS3(t)
	proxy := archivertest.StartProxy(t, server.Endpoint)
	target, err := s3.Open(t.Context(), s3.Options{Bucket: server.Bucket, Prefix: "p", Endpoint: proxy.URL, Region: server.Region})
	testkit.Must(t, err)
	_, err = archiver.Init(t.Context(), target)
	testkit.Must(t, err)
	b := newBeats(t, 25)
	b.l.commit()
	b.l.seal()
	b.l.close()
	b.bar.db = nil
	beats := func(method string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == method && strings.Contains(r.URL.Path, "/heartbeat/") }
	}
	once := func() time.Time {
		t.Helper()
		moment := time.Now()
		a, err := archiver.New(archiver.Options{Store: vfs.AsFS(vfs.Dir(b.l.dir)), Receipts: archiver.ReceiptsDir(b.l.dir),
			Targets: []archiver.Target{target}, Barrier: b.bar})
		testkit.Must(t, err)
		_, err = a.Once(t.Context())
		testkit.Must(t, err)
		return moment
	}
	there := func(want int) {
		t.Helper()
		n := 0
		for _, err := range target.List(t.Context(), b.l.uuid.String()+"/heartbeat/", "") {
			testkit.Must(t, err)
			n++
		}
		if n != want {
			t.Errorf("%d heartbeats, want %d", n, want)
		}
	}
	arc, err := archiver.OpenArchive(t.Context(), target)
	testkit.Must(t, err)
	covers := func(moment time.Time, want bool) {
		t.Helper()
		plan, err := archiver.At(t.Context(), arc, b.l.uuid, archiver.Point{Time: moment})
		if (err == nil) != want || want && plan.Seq != b.l.seq {
			t.Errorf("%+v, %v; covered: want %v", plan, err, want)
		}
	}
	covers(once(), true)
	there(1)
	proxy.Inject(1, beats("PUT"), archivertest.Answer(503, "SlowDown"))
	covers(once(), false)
	there(1)
	proxy.Inject(1, beats("PUT"), archivertest.LoseReply())
	covers(once(), true) // it is there all the same
	there(2)
	proxy.Inject(1, beats("DELETE"), archivertest.Answer(403, "AccessDenied"))
	covers(once(), true)
	covers(once(), true)
	there(1)
	rep, err := archiver.Audit(t.Context(), archiver.AuditOptions{Store: vfs.AsFS(vfs.Dir(b.l.dir)), Receipts: archiver.ReceiptsDir(b.l.dir), Archive: arc})
	if err != nil || len(rep.Findings) > 0 || rep.Complete.IsZero() {
		t.Errorf("audit: %+v, %v", rep, err)
	}
}
