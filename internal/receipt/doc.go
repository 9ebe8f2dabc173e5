// Package receipt keeps the receipts beside a store: a file for each segment and target,
// written when, and only when, the object is known to be durable there. The archiver writes
// them; others that read them need not know the archiver.
//
// The invariant: a receipt is written once, durably, and proves itself whole. One that does
// not counts for nothing, and the target is asked again. So losing receipts costs time, and
// never a segment.
package receipt
