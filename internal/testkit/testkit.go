// Package testkit is what tests of all packages begin with. It knows no package of ours, so that
// every test may use it.
package testkit

import "testing"

// Must ends the test if err is not nil.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
