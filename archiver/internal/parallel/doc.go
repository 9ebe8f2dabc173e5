// Package parallel runs many requests at once, and ends them all with the first error.
package parallel
