//go:build !linux

package main

import "errors"

// evict asks the system to drop files from the page cache.
func evict([]string) (left float64, err error) { return 0, errors.ErrUnsupported }
