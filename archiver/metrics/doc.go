// Package metrics is the Prometheus collector of an archiver. It is a package of its own, so that a
// program that imports archiver links no Prometheus. It decides nothing: alarms are the archiver's.
// The invariant: it keeps no copy of the figures in archiver.Status: it reads them at each scrape,
// so the two never differ.
package metrics
