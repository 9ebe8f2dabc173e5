// Package targettest tests that implementations of target.Target keep its contract, and has what
// their tests share. A new target is tested by
//
//	Run(t, func(t *testing.T) target.Target { return open(t) })
//
// The suite covers a target that is reachable and sound. Its own tests cover lost power, network
// and room. The invariant: each check is a sentence of the contract, so all targets pass the
// same ones.
package targettest
