//go:build !unix

package dir

import "errors"

// SameFileSystem returns errors.ErrUnsupported: this system does not say.
func SameFileSystem(storeDir, targetDir string) (bool, error) {
	return false, errors.ErrUnsupported
}
