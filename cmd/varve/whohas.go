package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/store"
)

// whoHas adds to an error for missing segments which archive has them, by the receipts
// beside the store, and the command that brings them back. Only of the first few segments is
// that asked, each with one small file an archive.
func (a *app) whoHas(err error) error {
	missing, ok := errors.AsType[*store.MissingError](err)
	if !ok || a.dir == "" {
		return err
	}
	if abs, _ := filepath.Abs(a.dir); missing.Dir != a.dir && missing.Dir != abs {
		return err // another copy of the store, or the view of an archive
	}
	const most = 5
	type share struct {
		n     int
		first receipt.Receipt
	}
	var urls []string
	has := map[string]*share{}
	for _, ref := range missing.Segments[:min(most, len(missing.Segments))] {
		for _, r := range receipt.For(archiver.ReceiptsDir(a.dir), ref) {
			if has[r.URL] == nil {
				has[r.URL] = &share{first: r}
				urls = append(urls, r.URL)
			}
			has[r.URL].n++
		}
	}
	for _, url := range urls {
		s := has[url]
		what := s.first.Object
		if s.n > 1 {
			what = fmt.Sprintf("%d of them, the first as %s", s.n, what)
		}
		err = fmt.Errorf("%w; by the receipts, archive %s has %s: varve repair --from %s", err, url, what, shellWord(url))
	}
	return err
}
