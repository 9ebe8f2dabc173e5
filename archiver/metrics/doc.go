// Package metrics is the Prometheus collector of an archiver. It is a package of its own, so
// that a program that imports archiver links no Prometheus. It decides nothing: alarms are the
// archiver's. The invariant: it keeps no figure that archiver.Status has, so the two never
// differ.
package metrics
