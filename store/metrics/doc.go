// Package metrics shows a store to Prometheus.
//
// Register the collector with a registry of your own:
//
//	reg := prometheus.NewRegistry()
//	reg.MustRegister(metrics.New(db, nil))
//
// The families are varve_store_* and varve_integrity_*, listed in docs/metrics.md.
// A scrape reads atomic counters, and takes no lock that a commit or a read of the
// store waits for; its cost does not grow with the store.
package metrics
