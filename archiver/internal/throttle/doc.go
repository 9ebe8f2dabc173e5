// Package throttle bounds how many bytes pass in a second.
package throttle
