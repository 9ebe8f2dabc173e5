// Package receipt keeps the receipts beside a store: a file for each segment and target, written
// when, and only when, the object is known to be durable there. The archiver writes them, the
// store and its checks read them; none of them has to know the other.
//
// The invariant: a receipt is written once, durably, and proves itself whole; one that does not counts
// for nothing, and the target is asked again. So to lose receipts costs time, and never a segment.
package receipt
