//go:build !linux

package archiver

import (
	"context"
	"errors"
)

// Watch sends on the channel when segments were sealed in the folder at path, until ctx ends.
// This system has no notification: the error wraps errors.ErrUnsupported. Run polls in any case.
func Watch(context.Context, string) (<-chan struct{}, error) {
	return nil, errors.ErrUnsupported
}
