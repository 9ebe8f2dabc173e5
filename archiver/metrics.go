package archiver

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what an Archiver counts. What Status knows is not kept twice.
type metrics struct {
	failures *prometheus.CounterVec
	found    *prometheus.CounterVec
	sent     *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	sizes    *prometheus.HistogramVec

	segments   *prometheus.Desc
	backlog    *prometheus.Desc
	oldest     *prometheus.Desc
	last       *prometheus.Desc
	through    *prometheus.Desc
	alarm      *prometheus.Desc
	storeAlarm *prometheus.Desc
	damaged    *prometheus.Desc
	drill      *prometheus.Desc
}

const namespace = "varve_archiver_"

// The label of the families is the URL of a target: there are as many values as
// targets were given.
func newMetrics() *metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: namespace + name, Help: help}, []string{"target"})
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: namespace + name, Help: help, Buckets: buckets}, []string{"target"})
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+name, help, labels, nil)
	}
	return &metrics{
		failures: counter("failures_total", "Attempts to ship a segment, or to reach the target, that failed."),
		found:    counter("found_segments_total", "Segments that the target had already when they were to be shipped."),
		sent:     counter("shipped_segments_total", "Segments sent to the target."),
		bytes:    counter("shipped_bytes_total", "Bytes of the segments sent to the target."),
		seconds: histogram("ship_duration_seconds", "Time to send a segment and write its receipt.",
			prometheus.ExponentialBuckets(0.01, 2, 16)),
		sizes: histogram("ship_size_bytes", "Size of the segments sent.", prometheus.ExponentialBuckets(64<<10, 4, 9)),

		segments:   desc("backlog_segments", "Sealed segments that the target does not have yet.", "target"),
		backlog:    desc("backlog_bytes", "Bytes of the sealed segments that the target does not have yet.", "target"),
		oldest:     desc("oldest_unshipped_age_seconds", "Age of the oldest commit in a sealed segment that the target does not have yet, 0 for none.", "target"),
		last:       desc("last_success_timestamp_seconds", "When a segment was last shipped, or found at the target; 0 for never.", "target"),
		through:    desc("archived_through_timestamp_seconds", "The moment up to which the target has every commit: that of the oldest one that it lacks, sealed or not, or else of the last look at the store; 0 for not known.", "target"),
		alarm:      desc("alarm", "1 while there is an alarm of the kind about the target: see the kinds in the documentation.", "target", "kind"),
		storeAlarm: desc("store_alarm", "1 while there is an alarm of the kind about the store.", "kind"),
		damaged:    desc("damaged_segments", "Segment files that are not shipped because they are damaged or cannot be read."),
		drill:      desc("last_drill_timestamp_seconds", "When a restore drill last succeeded; 0 for never."),
	}
}

// shipped counts a segment that was sent or found.
func (m *metrics) shipped(url string, r outcome) {
	if !r.sent {
		m.found.WithLabelValues(url).Inc()
		return
	}
	m.sent.WithLabelValues(url).Inc()
	m.bytes.WithLabelValues(url).Add(float64(r.size))
	m.seconds.WithLabelValues(url).Observe(r.took.Seconds())
	m.sizes.WithLabelValues(url).Observe(float64(r.size))
}

// begin makes the families of a target be there before anything happens, so that
// an absence is never taken for a zero.
func (m *metrics) begin(url string) {
	for _, v := range []*prometheus.CounterVec{m.failures, m.found, m.sent, m.bytes} {
		v.WithLabelValues(url)
	}
	m.seconds.WithLabelValues(url)
	m.sizes.WithLabelValues(url)
}

// Collector returns the metrics of the archiver, for the caller's Registerer: families
// varve_archiver_*. A scrape takes no lock for longer than it takes to go over the
// backlog, and asks neither the targets nor the disk.
func (a *Archiver) Collector() prometheus.Collector { return collector{a} }

type collector struct{ a *Archiver }

func (c collector) Describe(ch chan<- *prometheus.Desc) {
	m := c.a.metrics
	for _, v := range m.vectors() {
		v.Describe(ch)
	}
	for _, d := range []*prometheus.Desc{m.segments, m.backlog, m.oldest, m.last, m.through, m.alarm, m.storeAlarm, m.damaged, m.drill} {
		ch <- d
	}
}

func (m *metrics) vectors() []prometheus.Collector {
	return []prometheus.Collector{m.failures, m.found, m.sent, m.bytes, m.seconds, m.sizes}
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	m := c.a.metrics
	for _, v := range m.vectors() {
		v.Collect(ch)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s := c.a.Status()
	for i := range s.Targets {
		t := &s.Targets[i]
		gauge(m.segments, float64(t.Segments), t.URL)
		gauge(m.backlog, float64(t.Bytes), t.URL)
		gauge(m.oldest, t.Oldest.Age.Seconds(), t.URL)
		gauge(m.last, timestamp(t.Last.Unix(), t.Last.IsZero()), t.URL)
		gauge(m.through, timestamp(t.Through.Unix(), t.Through.IsZero()), t.URL)
		for _, k := range alarmKinds()[:targetAlarms] {
			gauge(m.alarm, one(t.Alarm != nil && t.Alarm.Kind == k), t.URL, string(k))
		}
	}
	for _, k := range alarmKinds()[targetAlarms:] {
		on := false
		for _, a := range s.Alarms {
			on = on || a.Kind == k
		}
		gauge(m.storeAlarm, one(on), string(k))
	}
	gauge(m.damaged, float64(len(s.Damaged)))
	gauge(m.drill, timestamp(s.Drill.Unix(), s.Drill.IsZero()))
}

func timestamp(t int64, never bool) float64 {
	if never {
		return 0
	}
	return float64(t)
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
