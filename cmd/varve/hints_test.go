package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
)

// The command that mends what an archive or a receipt lacks is named by the program, once,
// for whoever reads or ships.
func TestArchiveErrorsNameTheCommand(t *testing.T) {
	for _, err := range []error{
		fmt.Errorf("restore: %w", archive.ErrPruned),
		fmt.Errorf("audit: %w", &receipt.DamagedError{File: "r.json", Err: target.ErrConflict}),
	} {
		for name, hint := range map[string]func(error) error{"archive": archiveError, "ship": shipError} {
			if got := hint(err).Error(); strings.Count(got, "varve archive repair") != 1 || strings.Contains(err.Error(), "varve") {
				t.Errorf("%s: of %q: %q", name, err, got)
			}
		}
	}
}
