// Package receipttest is for tests: receipts that are made up.
package receipttest
