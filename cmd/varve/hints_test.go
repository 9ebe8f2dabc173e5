package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/store"
)

// What a library says in words is done by a command that there is, and is said once however often
// an error is written.
func TestRemediesNameCommands(t *testing.T) {
	a := &app{}
	for next, want := range commands {
		err := fmt.Errorf("archive: %w", &store.CorruptError{File: "a store/1.seg", Reason: "a checksum", Next: next})
		want = strings.Replace(want, "{}", "'a store'", 1)
		once := inCommands(err)
		if !strings.HasSuffix(once, "; "+want) || inCommands(&targetError{once, err}) != once {
			t.Errorf("%q: %q; want %q", next, once, want)
		}
		for _, words := range regexp.MustCompile(`varve ([a-z]+ ?)+`).FindAllString(want, -1) {
			if c, _, err := a.root().Find(strings.Fields(words)[1:]); err != nil || !c.HasParent() || c.HasSubCommands() {
				t.Errorf("%q: no command %q: %v", next, words, err)
			}
		}
	}
}

// The command that mends what an archive or a receipt lacks is named by the program, once,
// for reads and for shipping.
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
