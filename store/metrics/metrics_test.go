package metrics

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/varve-db/varve/store"
)

// gather returns the value of each family without a label, and counts of histograms.
func gather(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		m := f.GetMetric()[0]
		switch f.GetType() {
		case dto.MetricType_GAUGE:
			got[f.GetName()] = m.GetGauge().GetValue()
		case dto.MetricType_COUNTER:
			got[f.GetName()] = m.GetCounter().GetValue()
		case dto.MetricType_HISTOGRAM:
			got[f.GetName()] = float64(m.GetHistogram().GetSampleCount())
		}
	}
	return got
}

// TestMetricsAreWhatTheStoreSays puts, deletes and seals, and compares with Stats.
func TestMetricsAreWhatTheStoreSays(t *testing.T) {
	db, err := store.Open(filepath.Join(t.TempDir(), "s"), &store.Options{SegmentSize: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(New(db, prometheus.Labels{"store": "s"})); err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		if err := db.Put(fmt.Appendf(nil, "key %d", i%150), make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		if i%10 == 9 {
			if err := db.Delete(fmt.Appendf(nil, "key %d", i%150)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := db.Seal(); err != nil {
		t.Fatal(err)
	}
	if err := db.Put([]byte("last"), nil); err != nil {
		t.Fatal(err)
	}
	got, s := gather(t, reg), db.Stats()
	for name, want := range map[string]int64{
		"objects": s.Objects, "key_bytes": s.KeyBytes, "index_bytes": s.IndexBytes, "live_bytes": s.LiveBytes,
		"segments": int64(len(s.Segments)), "last_sequence_number": int64(s.LastSeq),
		"disk_full": 0, "failed": 0, "unwritten_bytes": 0, "open_clean": 1,
	} {
		if v := got["varve_store_"+name]; v != float64(want) {
			t.Errorf("%s is %v, want %d", name, v, want)
		}
	}
	if n := got["varve_store_file_bytes"]; n < float64(s.LiveBytes) || n > float64(s.FileBytes)+200 {
		t.Errorf("file_bytes is %v, stats say %d", n, s.FileBytes)
	}
	if n := got["varve_store_log_written_bytes_total"]; n < float64(s.LiveBytes) {
		t.Errorf("%v bytes written", n)
	}
	if n := got["varve_store_commit_wait_seconds"]; n != 221 {
		t.Errorf("%v commits, want 221", n)
	}
	if n := got["varve_store_sync_duration_seconds"]; n < 221 {
		t.Errorf("%v syncs", n)
	}
}

// TestLint holds the names and help texts to the conventions of Prometheus.
func TestLint(t *testing.T) {
	db, err := store.Open(filepath.Join(t.TempDir(), "s"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	problems, err := testutil.CollectAndLint(New(db, nil))
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
}

// TestAfterClose scrapes a store that is closed.
func TestAfterClose(t *testing.T) {
	db, err := store.Open(filepath.Join(t.TempDir(), "s"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Put([]byte("a"), []byte("1")); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(New(db, nil))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	got := gather(t, reg)
	if got["varve_store_objects"] != 1 || got["varve_store_failed"] != 0 {
		t.Errorf("%v", got)
	}
	for name := range got {
		if !strings.HasPrefix(name, "varve_store_") && !strings.HasPrefix(name, "varve_integrity_") {
			t.Errorf("a family is called %s", name)
		}
	}
}
