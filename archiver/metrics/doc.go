// Package metrics is the Prometheus collector of an archiver. It is a package of its own, so
// that a program that imports archiver links no Prometheus. It keeps no figure that
// archiver.Status has.
package metrics
