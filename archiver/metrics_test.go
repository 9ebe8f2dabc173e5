package archiver_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/metrics"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
)

// TestMetricsAreWellFormedAndTrue scrapes an archiver that has shipped, found, failed
// and set aside.
func TestMetricsAreWellFormedAndTrue(t *testing.T) {
	a := archiver.Busy(t)
	reg := prometheus.NewPedanticRegistry()
	testkit.Must(t, reg.Register(metrics.New(a)))
	if _, err := a.Once(t.Context()); !errors.Is(err, target.ErrFull) {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	text := rec.Body.String()
	for _, want := range []string{
		`varve_archiver_shipped_segments_total{target="mem://0"} 2`,
		`varve_archiver_found_segments_total{target="mem://0"} 1`,
		`varve_archiver_shipped_segments_total{target="mem://1"} 0`,
		`varve_archiver_backlog_segments{target="mem://0"} 0`,
		`varve_archiver_backlog_segments{target="mem://1"} 3`,
		`varve_archiver_alarm{kind="full",target="mem://1"} 1`,
		`varve_archiver_alarm{kind="full",target="mem://0"} 0`,
		`varve_archiver_store_alarm{kind="damaged"} 1`,
		`varve_archiver_damaged_segments 1`,
		`varve_archiver_ship_size_bytes_count{target="mem://0"} 2`,
		`varve_archiver_last_drill_timestamp_seconds 1.5e+09`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) != 0 {
		t.Errorf("%v, %v", problems, err)
	}
	if t.Failed() {
		t.Log(text)
	}
}
