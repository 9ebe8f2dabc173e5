package archiver_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/audit"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/s3"
	"github.com/varve-db/varve/archiver/target/targettest"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
)

// TestHeartbeatsInABucket of a real S3 server, over a line on which requests fail and answers
// are lost: one takes the place of another, and a moment that the newest covers is the newest
// state.
func TestHeartbeatsInABucket(t *testing.T) {
	server := targettest.StartS3(t)
	proxy := targettest.StartProxy(t, server.Endpoint)
	to, err := s3.Open(t.Context(), s3.Options{Bucket: server.Bucket, Prefix: "p", Endpoint: proxy.URL, Region: server.Region})
	testkit.Must(t, err)
	_, err = target.Init(t.Context(), to)
	testkit.Must(t, err)
	b := newBeats(t, 25)
	b.l.Commit()
	b.l.Seal()
	b.l.Close()
	b.bar.db = nil
	beats := func(method string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == method && strings.Contains(r.URL.Path, "/heartbeat/") }
	}
	once := func() time.Time {
		t.Helper()
		moment := time.Now()
		a, err := archiver.New(archiver.Options{Store: vfs.AsFS(vfs.Dir(b.l.Dir)), Receipts: archiver.ReceiptsDir(b.l.Dir),
			Targets: []target.Target{to}, Barrier: b.bar})
		testkit.Must(t, err)
		_, err = a.Once(t.Context())
		testkit.Must(t, err)
		return moment
	}
	there := func(want int) {
		t.Helper()
		n := 0
		for _, err := range to.List(t.Context(), b.l.UUID.String()+"/heartbeat/", "") {
			testkit.Must(t, err)
			n++
		}
		if n != want {
			t.Errorf("%d heartbeats, want %d", n, want)
		}
	}
	arc, err := archive.Open(t.Context(), to)
	testkit.Must(t, err)
	covers := func(moment time.Time, want bool) {
		t.Helper()
		plan, err := history.At(t.Context(), arc, b.l.UUID, history.Point{Time: moment})
		if (err == nil) != want || want && plan.Seq != b.l.Seq {
			t.Errorf("%+v, %v; covered: want %v", plan, err, want)
		}
	}
	covers(once(), true)
	there(1)
	proxy.Inject(1, beats("PUT"), targettest.Answer(503, "SlowDown"))
	covers(once(), false)
	there(1)
	proxy.Inject(1, beats("PUT"), targettest.LoseReply())
	covers(once(), true) // it is there all the same
	there(2)
	proxy.Inject(1, beats("DELETE"), targettest.Answer(403, "AccessDenied"))
	covers(once(), true)
	covers(once(), true)
	there(1)
	rep, err := audit.Run(t.Context(), arc, audit.Options{Store: vfs.AsFS(vfs.Dir(b.l.Dir)), Receipts: archiver.ReceiptsDir(b.l.Dir)})
	if err != nil || len(rep.Findings) > 0 || rep.Complete.IsZero() {
		t.Errorf("audit: %+v, %v", rep, err)
	}
}
