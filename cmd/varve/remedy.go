package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// commands says how a command does what has to be done. DIR stands for the store's folder.
var commands = map[segment.Remedy]string{
	integrity.MakeRepair:     "varve repair -d DIR",
	integrity.RepairFromCopy: "varve repair -d DIR --from COPY",
	integrity.SalvageRest:    "varve repair -d DIR --salvage DEST",
	integrity.CheckStore:     "varve check -d DIR finds the place",
	integrity.OpenAgain:      "open the store again, and: varve check -d DIR",
}

// commandFor says what has to be done about damage in the store in dir, by a command where there is
// one.
func commandFor(next segment.Remedy, dir string) string {
	text, ok := commands[next]
	if !ok {
		return string(next)
	}
	return strings.Replace(text, "DIR", shellWord(dir), 1)
}

// inCommands puts commands in the place of the words of an error that say what has to be done.
func inCommands(err error) string {
	text := err.Error()
	if c, ok := errors.AsType[*store.CorruptError](err); ok && c.Next != "" {
		if i := strings.LastIndex(text, string(c.Next)); i >= 0 {
			text = text[:i] + commandFor(c.Next, filepath.Dir(c.File)) + text[i+len(c.Next):]
		}
	}
	return text
}

// putCommands puts into findings of the store in dir the commands in the place of words, and
// which archive has the segment, by the receipts beside the store.
func putCommands(dir string, id segment.UUID, list []integrity.Finding) {
	for i := range list {
		f := &list[i]
		next := commandFor(f.Next, dir)
		if f.Next == integrity.RepairFromCopy && f.Segment != (segment.Ref{}) {
			for _, r := range receipt.For(archiver.ReceiptsDir(dir), f.Segment) {
				if r.Store == id {
					next = strings.Replace(next, "COPY", shellWord(r.URL), 1)
					f.Reason += fmt.Sprintf("; by its receipt, archive %s has it as %s", r.URL, r.Object)
				}
			}
		}
		f.Next = segment.Remedy(next)
	}
}
