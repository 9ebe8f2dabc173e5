// Package targettest holds implementations of target.Target to its
// contract, and has what their tests share. A new target is tested by
//
//	Run(t, func(t *testing.T) target.Target { return open(t) })
//
// The suite says what a target must do where it is reachable and sound. What it
// must do when the power, the network or the room goes, its own tests say.
package targettest
