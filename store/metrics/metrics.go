package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/varve-db/varve/store"
)

// family is one metric and how it is read.
type family struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(m *reading) float64
}

// reading is what one scrape sees.
type reading struct {
	store.Metrics
	open store.OpenReport
}

// collector implements prometheus.Collector.
type collector struct {
	db       *store.DB
	families []family
	syncs    *prometheus.Desc
	waits    *prometheus.Desc
	bounds   []float64
}

// New returns the collector of a store. The labels are added to every family, so
// that several stores can share a registry; nil is none. It may be used
// as long as db may, and after its Close.
func New(db *store.DB, labels prometheus.Labels) prometheus.Collector {
	c := &collector{db: db, bounds: store.HistogramBounds()}
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc("varve_"+name, help, nil, labels) }
	add := func(kind prometheus.ValueType, name, help string, read func(m *reading) float64) {
		c.families = append(c.families, family{desc(name, help), kind, read})
	}
	gauge := func(name, help string, read func(m *reading) float64) { add(prometheus.GaugeValue, name, help, read) }
	counter := func(name, help string, read func(m *reading) float64) {
		add(prometheus.CounterValue, name, help, read)
	}
	storeFamilies(gauge, counter)
	integrityFamilies(gauge, counter)
	c.syncs = desc("store_sync_duration_seconds", "Time that a sync of the newest log took.")
	c.waits = desc("store_commit_wait_seconds", "Time that commits waited for the disk; with SyncEvery, those that had to.")
	return c
}

type adder = func(name, help string, read func(m *reading) float64)

func storeFamilies(gauge, counter adder) {
	gauge("store_objects", "Keys that have a value.", func(m *reading) float64 { return float64(m.Objects) })
	gauge("store_key_bytes", "Size of all keys.", func(m *reading) float64 { return float64(m.KeyBytes) })
	gauge("store_index_bytes", "Heap that the index holds, the keys included.", func(m *reading) float64 { return float64(m.IndexBytes) })
	gauge("store_live_bytes", "Size of the records of all objects that can be read.", func(m *reading) float64 { return float64(m.LiveBytes) })
	gauge("store_file_bytes", "Size of all segments, without their footers.", func(m *reading) float64 { return float64(m.FileBytes) })
	gauge("store_segments", "Segments of the store, the newest log included.", func(m *reading) float64 { return float64(m.SegmentCount) })
	gauge("store_last_sequence_number", "Sequence number of the newest change.", func(m *reading) float64 { return float64(m.LastSeq) })
	gauge("store_unsealed_logs", "Logs that wait for their seal.", func(m *reading) float64 { return float64(m.Unsealed) })
	gauge("store_unwritten_bytes", "Bytes that are committed and still in memory.", func(m *reading) float64 { return float64(m.Unwritten) })
	counter("store_log_written_bytes_total", "Bytes written to logs since the open.", func(m *reading) float64 { return float64(m.Written) })
	gauge("store_disk_full", "1 while puts are refused for want of room.", func(m *reading) float64 { return truth(m.DiskFull) })
	gauge("store_failed", "1 once the log takes no commits any more, until the store is opened again.", func(m *reading) float64 { return truth(m.Failed != "") })
	gauge("store_open_duration_seconds", "Time that the open took.", func(m *reading) float64 { return m.open.Took.Seconds() })
	gauge("store_open_clean", "1 if the store had been closed in order before the open.", func(m *reading) float64 { return truth(m.open.Clean || m.open.Created) })
}

func integrityFamilies(gauge, counter adder) {
	scrub := func(read func(s *store.ScrubStats) float64) func(m *reading) float64 {
		return func(m *reading) float64 {
			if m.Scrub == nil {
				return 0
			}
			return read(m.Scrub)
		}
	}
	gauge("integrity_open_level", "How far the open checked: 0 none, 1 tail, 2 log, 3 full.", func(m *reading) float64 { return levels[m.open.Level.String()] })
	gauge("integrity_cut_bytes", "Bytes of a torn tail that the open cut off.", func(m *reading) float64 {
		if m.open.Cut == nil {
			return 0
		}
		return float64(m.open.Cut.Bytes)
	})
	gauge("integrity_open_findings", "Findings of the open, if it went on all the same.", func(m *reading) float64 { return float64(len(m.open.Findings)) })
	gauge("integrity_scrub_segments", "Sealed segments that are scrubbed; 0 where scrubbing is off.",
		scrub(func(s *store.ScrubStats) float64 { return float64(s.Segments) }))
	gauge("integrity_scrub_verified_segments", "Sealed segments whose last verification is remembered.",
		scrub(func(s *store.ScrubStats) float64 { return float64(s.Verified) }))
	gauge("integrity_oldest_verified_timestamp_seconds", "When the segment was verified for which that is longest ago: by scrubbing or, until then, by its seal; 0 for none.",
		scrub(func(s *store.ScrubStats) float64 {
			if s.Oldest.IsZero() {
				return 0
			}
			return float64(s.Oldest.UnixNano()) / 1e9
		}))
	counter("integrity_scrub_read_bytes_total", "Bytes that scrubbing read since the open.",
		scrub(func(s *store.ScrubStats) float64 { return float64(s.Bytes) }))
	counter("integrity_scrub_findings_total", "Findings of scrubbing since the open.",
		scrub(func(s *store.ScrubStats) float64 { return float64(s.Found) }))
}

// levels orders the levels by what they check.
var levels = map[string]float64{"none": 0, "tail": 1, "log": 2, "full": 3}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for i := range c.families {
		ch <- c.families[i].desc
	}
	ch <- c.syncs
	ch <- c.waits
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	m := &reading{Metrics: c.db.Metrics(), open: c.db.OpenReport()}
	for i := range c.families {
		f := &c.families[i]
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, f.read(m))
	}
	ch <- c.histogram(c.syncs, &m.SyncTimes)
	ch <- c.histogram(c.waits, &m.WaitTimes)
}

func (c *collector) histogram(desc *prometheus.Desc, h *store.Histogram) prometheus.Metric {
	buckets := make(map[float64]uint64, len(c.bounds))
	n := uint64(0)
	for i, bound := range c.bounds {
		n += h.Counts[i]
		buckets[bound] = n
	}
	return prometheus.MustNewConstHistogram(desc, h.Count, h.Sum, buckets)
}
