// Package archivertest holds implementations of archiver.Target to its
// contract, and has what their tests share. A new target is tested by
//
//	archivertest.Run(t, func(t *testing.T) archiver.Target { return open(t) })
//
// The suite says what a target must do where it is reachable and sound. What it
// must do when the power, the network or the room goes, its own tests say.
package archivertest
