package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/audit"
	"github.com/varve-db/varve/archiver/backup"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/cmd/varve/internal/quote"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// commands says how commands do what has to be done; {} stands for the store's folder, or for
// what else that is about.
var commands = map[segment.Remedy]string{
	integrity.MakeRepair:     "varve repair -d {}",
	integrity.RepairFromCopy: "varve repair -d {} --from COPY",
	integrity.SalvageRest:    "varve repair -d {} --salvage DEST",
	integrity.CheckStore:     "varve check -d {} finds the place",
	archive.PutBack:          "varve archive repair puts it back from the store",
	archive.ListBackups:      "varve backup list",
	audit.Ship:               "varve archive once ships it",
	audit.SealAndShip:        "varve archive once has it sealed and ships it",
	audit.AskByShipping:      "varve archive once asks the archive for the object, and writes the receipt",
	audit.AskByRepair:        "varve archive repair asks the archive for the object, and writes the receipt",
	audit.ReadAll: "the store does not have the segment any more, so there is nothing to compare the object with; " +
		"varve archive audit --data proves it by its own checksums",
	audit.AcceptGap:     string(audit.AcceptGap) + ": varve archive audit --accept-gap {} --reason TEXT",
	audit.RepairStore:   "varve check shows what is wrong; varve repair --from brings it back from the archive",
	audit.LookAtFiles:   "varve check says more of the store's files, varve describe of an object",
	audit.LookAtBoth:    "look at both with varve describe; one of them does not belong here",
	audit.LookAndMove:   "varve describe shows what it is; move it out of the archive",
	audit.RepairAgain:   "run varve archive repair again",
	backup.AuditIt:      "varve archive audit tells more",
	backup.VerifyData:   "varve backup verify --data finds the segment",
	history.NameOne:     "--timeline T and --backup ID name what is left",
	target.MakeRoom:     string(target.MakeRoom) + ": varve backup prune",
	receipt.OtherFolder: string(receipt.OtherFolder) + ": --state DIR",
}

// choosing is how a command says which of several is meant.
var choosing = map[string]string{"stores": "--store UUID", "timelines": "--timeline T"}

// commandFor says what has to be done about what, by a command where there is one.
func commandFor(next segment.Remedy, what string) string {
	if text, ok := commands[next]; ok {
		return strings.Replace(text, "{}", quote.Shell(what), 1)
	}
	return string(next)
}

// inCommands replaces the words of an error that say what has to be done by commands.
func inCommands(err error) string {
	text, dir, from := err.Error(), "", "COPY"
	if c, ok := errors.AsType[*store.CorruptError](err); ok {
		if dir = filepath.Dir(c.File); len(c.Archives) > 0 {
			from = quote.Shell(c.Archives[0].URL)
		}
	}
	if m, ok := errors.AsType[*store.MissingError](err); ok {
		for i := range m.Archives {
			has, by := m.Archives[i].String(), ": varve repair --from "+quote.Shell(m.Archives[i].URL)
			if !strings.Contains(text, by) {
				text = strings.Replace(text, has, has+by, 1)
			}
		}
	}
	for next := range commands {
		for _, before := range []string{"; ", ": "} {
			by := strings.Replace(commandFor(next, dir), "COPY", from, 1)
			if head, tail, ok := cutLast(text, before+string(next)); ok && !strings.Contains(text, by) {
				text = head + before + by + tail
			}
		}
	}
	if c, ok := errors.AsType[*archive.ChoiceError](err); ok {
		text = strings.Replace(text, "say which", "say which with "+choosing[c.What], 1)
	}
	return text
}

// cutLast is strings.Cut at the last sep.
func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// putCommands replaces words by commands in findings of the store in dir, and adds which archive
// has the segment, by the receipts beside the store.
func putCommands(dir string, id segment.UUID, list []integrity.Finding) {
	for i := range list {
		f := &list[i]
		next := commandFor(f.Next, dir)
		if f.Next == integrity.RepairFromCopy && f.Segment != (segment.Ref{}) {
			for _, r := range receipt.For(vfs.Dir(archiver.ReceiptsDir(dir)), f.Segment) {
				if r.Store == id {
					next = strings.Replace(next, "COPY", quote.Shell(r.URL), 1)
					f.Reason += fmt.Sprintf("; by its receipt, archive %s has it as %s", r.URL, r.Object)
				}
			}
		}
		f.Next = segment.Remedy(next)
	}
}
