// Package throttle bounds how many bytes go in a second.
package throttle
