package main

import (
	"context"
	"strings"

	"github.com/varve-db/varve/integrity/repair"
)

// donor returns what --from of repair names: an archive by its URL, or the folder of
// another copy of the store in dir.
func (a *app) donor(ctx context.Context, from, dir string) (repair.Donor, error) {
	if !strings.Contains(from, "://") {
		return donorAt(from, dir)
	}
	t, err := openTarget(ctx, from, false)
	if err != nil {
		return nil, err
	}
	arc, err := openArchive(ctx, t)
	if err != nil {
		return nil, archiveError(err)
	}
	return arc.Donor(), nil
}
