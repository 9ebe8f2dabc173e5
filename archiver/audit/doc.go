// Package audit holds a store, its receipts and an archive against each other: Run finds whether each
// sealed segment of the store's chain was stored exactly once; Repair puts back what an archive lost,
// from segments of the store that were verified.
//
// The invariant: an audit changes nothing and believes no word that it can check against another; a
// repair overwrites nothing and deletes only what it has copied aside.
package audit
