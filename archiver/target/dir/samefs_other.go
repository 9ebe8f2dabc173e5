//go:build !unix

package dir

import "errors"

// SameFileSystem cannot tell on this system.
func SameFileSystem(storeDir, targetDir string) (bool, error) {
	return false, errors.ErrUnsupported
}
