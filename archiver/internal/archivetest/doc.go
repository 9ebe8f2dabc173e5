// Package archivetest is for tests. Life is a real store whose state is known at every commit,
// Vault a target in memory to ship it to, Forger a maker of segments that no writer makes yet.
// It checks nothing of the archiver by itself.
package archivetest
