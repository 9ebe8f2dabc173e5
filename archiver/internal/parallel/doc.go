// Package parallel runs many requests at once. The first error ends all of them.
package parallel
