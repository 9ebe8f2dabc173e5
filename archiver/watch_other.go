//go:build !linux

package archiver

import (
	"context"
	"errors"
)

// Watch tells on the channel that segments were sealed in the folder at path, until
// ctx ends. The error wraps errors.ErrUnsupported where the system has no
// notification, as here, and does no harm: Run polls.
func Watch(context.Context, string) (<-chan struct{}, error) {
	return nil, errors.ErrUnsupported
}
