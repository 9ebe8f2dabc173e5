package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/crashfs"
)

// twoTips is a folder with the sealed segments of a store and of a copy of it, as an archive
// has them after both were written to.
func twoTips(t *testing.T) *crashfs.FS {
	t.Helper()
	a := crashfs.New()
	db := mustOpen(t, a, Options{})
	mustPut(t, db, "both", "1")
	if _, err := db.Seal(); err != nil {
		t.Fatal(err)
	}
	mustPut(t, db, "both", "2")
	mustClose(t, db)
	b := a.Copy()
	for fsys, n := range map[*crashfs.FS]int{a: 3, b: 2} { // the first log of the copy's has a greater number
		db := mustOpen(t, fsys, Options{})
		for range n {
			mustPut(t, db, "own", "1")
			if _, err := db.Seal(); err != nil {
				t.Fatal(err)
			}
		}
		mustClose(t, db)
	}
	all := crashfs.New()
	for i, fsys := range []*crashfs.FS{a, b} {
		for _, name := range fsys.Names() {
			if !strings.HasSuffix(name, ".seg") {
				continue
			}
			to := name
			if have := all.Bytes(name); i == 1 && have != nil && string(have) != string(fsys.Bytes(name)) {
				to = "1" + name[1:]
			}
			all.SetBytes(to, fsys.Bytes(name))
		}
	}
	return all
}

// TestTwoTipsAreSaidToBeThat: where the newest logs of both have one number, neither knows of the
// other, and no open chooses. The error names both timelines, and is no damage to a header.
func TestTwoTipsAreSaidToBeThat(t *testing.T) {
	fsys := twoTips(t)
	s, err := integrity.Survey(fsys)
	if err != nil {
		t.Fatal(err)
	}
	last := s.Files[len(s.Files)-2:]
	for what, open := range map[string]func() error{
		"read-only":   func() error { _, err := openReader(fsys.Clone(), resolve(t, Options{})); return err },
		"for writing": func() error { _, err := openFS(fsys.Clone(), resolve(t, Options{})); return err },
	} {
		err := open()
		c, ok := errors.AsType[*CorruptError](err)
		if !ok || !strings.Contains(c.Reason, "two histories") || strings.Contains(c.Reason, "header") || c.Next == "" ||
			!strings.Contains(c.Reason, last[0].Header.Ref.Timeline.String()) || !strings.Contains(c.Reason, last[1].Header.Ref.Timeline.String()) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
