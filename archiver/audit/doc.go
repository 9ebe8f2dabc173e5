// Package audit compares a store, its receipts and an archive. Run finds whether each sealed
// segment of the store's chain was stored exactly once. Repair puts back what an archive lost,
// from segments of the store that were verified.
//
// Neither ships nor prunes. The invariant: an audit changes nothing. It trusts no single source: it
// compares store, receipts and archive with each other. A repair overwrites nothing, and deletes
// only what it has copied before. So a wrong receipt or a killed repair costs no bytes.
package audit
