package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/alarm"
)

// collector is what New returns. What Status knows is not kept twice.
type collector struct {
	a *archiver.Archiver

	seconds *prometheus.HistogramVec
	sizes   *prometheus.HistogramVec

	failures   *prometheus.Desc
	found      *prometheus.Desc
	sent       *prometheus.Desc
	bytes      *prometheus.Desc
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

// New returns the metrics of an archiver, for the caller's Registerer: families
// varve_archiver_*. It is called once, before the archiver begins. The label of the families
// is the URL of a target: there are as many values as targets were given. A scrape takes no
// lock for longer than it takes to go over the backlog, and asks neither the targets nor the
// disk.
func New(a *archiver.Archiver) prometheus.Collector {
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: namespace + name, Help: help, Buckets: buckets}, []string{"target"})
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+name, help, labels, nil)
	}
	c := &collector{a: a,
		failures: desc("failures_total", "Attempts to ship a segment, or to reach the target, that failed.", "target"),
		found:    desc("found_segments_total", "Segments that the target had already when they were to be shipped.", "target"),
		sent:     desc("shipped_segments_total", "Segments sent to the target.", "target"),
		bytes:    desc("shipped_bytes_total", "Bytes of the segments sent to the target.", "target"),
		seconds: histogram("ship_duration_seconds", "Time to send a segment and write its receipt.",
			prometheus.ExponentialBuckets(0.01, 2, 16)),
		sizes: histogram("ship_size_bytes", "Size of the segments sent.", prometheus.ExponentialBuckets(64<<10, 4, 9)),

		segments:   desc("backlog_segments", "Sealed segments that the target does not have yet.", "target"),
		backlog:    desc("backlog_bytes", "Bytes of the sealed segments that the target does not have yet.", "target"),
		oldest:     desc("oldest_unshipped_age_seconds", "Age of the oldest commit in a sealed segment that the target does not have yet, 0 for none.", "target"),
		last:       desc("last_success_timestamp_seconds", "When a segment was last shipped, or found at the target; 0 for never.", "target"),
		through:    desc("archived_through_timestamp_seconds", "The moment up to which the target has every commit: the time of the oldest commit that it lacks, sealed or not, or else of the last look at the store; 0 for not known.", "target"),
		alarm:      desc("alarm", "1 while there is an alarm of the kind about the target: see the kinds in the documentation.", "target", "kind"),
		storeAlarm: desc("store_alarm", "1 while there is an alarm of the kind about the store.", "kind"),
		damaged:    desc("damaged_segments", "Segment files that are not shipped because they are damaged or cannot be read."),
		drill:      desc("last_drill_timestamp_seconds", "When a restore drill last succeeded; 0 for never."),
	}
	for _, url := range a.URLs() { // so that each series is there, as zero, before its first event
		c.seconds.WithLabelValues(url)
		c.sizes.WithLabelValues(url)
	}
	a.OnSent(func(s archiver.Sent) {
		c.seconds.WithLabelValues(s.URL).Observe(s.Took.Seconds())
		c.sizes.WithLabelValues(s.URL).Observe(float64(s.Bytes))
	})
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	c.seconds.Describe(ch)
	c.sizes.Describe(ch)
	for _, d := range []*prometheus.Desc{c.failures, c.found, c.sent, c.bytes, c.segments, c.backlog, c.oldest, c.last, c.through, c.alarm, c.storeAlarm, c.damaged, c.drill} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.seconds.Collect(ch)
	c.sizes.Collect(ch)
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, n int64, url string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), url)
	}
	s := c.a.Status()
	for i := range s.Targets {
		t := &s.Targets[i]
		counter(c.failures, t.Counts.Failures, t.URL)
		counter(c.found, t.Counts.Found, t.URL)
		counter(c.sent, t.Counts.Shipped, t.URL)
		counter(c.bytes, t.Counts.Bytes, t.URL)
		gauge(c.segments, float64(t.Segments), t.URL)
		gauge(c.backlog, float64(t.Bytes), t.URL)
		gauge(c.oldest, t.Oldest.Age.Seconds(), t.URL)
		gauge(c.last, timestamp(t.Last.Unix(), t.Last.IsZero()), t.URL)
		gauge(c.through, timestamp(t.Through.Unix(), t.Through.IsZero()), t.URL)
		for _, k := range alarm.OfTarget() {
			gauge(c.alarm, one(t.Alarm != nil && t.Alarm.Kind == k), t.URL, string(k))
		}
	}
	for _, k := range alarm.OfStore() {
		on := false
		for _, a := range s.Alarms {
			on = on || a.Kind == k
		}
		gauge(c.storeAlarm, one(on), string(k))
	}
	gauge(c.damaged, float64(len(s.Damaged)))
	gauge(c.drill, timestamp(s.Drill.Unix(), s.Drill.IsZero()))
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
