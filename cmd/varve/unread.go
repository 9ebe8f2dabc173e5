package main

import (
	"fmt"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/cmd/varve/internal/units"
)

// unreadText says of a tip that it was not read, and what reads it.
func unreadText(what string, t archive.Tip) string {
	return fmt.Sprintf("%s: timeline %v, segments %v to %v, %s: not read; varve restore --verify-only --timeline %v reads its newest state",
		what, t.Timeline, t.First, t.Last, units.Human(t.Bytes), t.Timeline)
}

// printUnread names the tips that a check did not read.
func (a *app) printUnread(tips []archive.Tip) error {
	for _, t := range tips {
		if _, err := fmt.Fprintln(a.out, unreadText("not covered", t)); err != nil {
			return err
		}
	}
	return nil
}
