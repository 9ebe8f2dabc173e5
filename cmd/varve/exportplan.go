package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/varve-db/varve/internal/jsonpack"
	"github.com/varve-db/varve/store"
)

// plan looks at all keys before anything is written, and refuses those that
// cannot be files, as they would leave DEST or be in each other's way.
func (e *exporter) plan(db objects) error {
	e.bad = map[string]bool{}
	c := keyCheck{db: db}
	for o, err := range db.Scan(store.Range{KeysOnly: true}) {
		if err != nil {
			return err
		}
		if err := c.check(string(o.Key)); err != nil {
			e.refuse(o.Key, err)
			e.bad[string(o.Key)] = true
		}
	}
	if e.Refused > 0 && !e.skip {
		e.tellMore()
		return usagef("%s: nothing was written; --skip writes the others", count(e.Refused, "key cannot be a file", "keys cannot be files"))
	}
	return nil
}

// refuse counts a key that is left out, and names the first ones.
func (e *exporter) refuse(key []byte, err error) {
	e.Refused++
	if e.Refused <= maxRefusals {
		e.warn("key %s: %w", jsonpack.Shorten(strconv.Quote(string(key))), err)
	}
}

// tellMore says how many more there are than were named.
func (e *exporter) tellMore() {
	if e.Refused > maxRefusals {
		e.warn("and %s", count(e.Refused-maxRefusals, "key more", "keys more"))
	}
}

// maxRefusals is how many refused keys are named.
const maxRefusals = 20

// maxName is how many bytes a file's name has at most, on the file systems of Unix.
const maxName = 255

// keyCheck tells which keys can be paths of one tree. It is asked about all keys, in
// their order.
type keyCheck struct {
	db    objects
	above []string // the keys so far that the present one begins with
}

// check returns why a key cannot be the path of a file, or nil.
func (c *keyCheck) check(key string) error {
	for n := len(c.above); n > 0 && !strings.HasPrefix(key, c.above[n-1]); n-- {
		c.above = c.above[:n-1]
	}
	defer func() { c.above = append(c.above, key) }()
	if key == topKey {
		return c.directory(key)
	}
	path, isDir := strings.CutSuffix(key, "/")
	switch {
	case strings.HasPrefix(key, "/"):
		return errors.New("is an absolute path")
	case strings.Contains(key, "\x00"):
		return errors.New("has a NUL, which no path can have")
	}
	for e := range strings.SplitSeq(path, "/") {
		if e == "" || e == "." || e == ".." {
			return fmt.Errorf("has an element %q", e)
		}
		if len(e) > maxName {
			return fmt.Errorf("has an element of %d bytes, and a file's name has at most %d", len(e), maxName)
		}
	}
	if isDir {
		if err := c.directory(key); err != nil {
			return err
		}
	}
	return c.free(path)
}

// directory makes sure that a key which ends in a slash is import's.
func (c *keyCheck) directory(key string) error {
	o, err := c.db.GetObject([]byte(key))
	if err != nil {
		return nil // the damage is told when the object is due
	}
	if a, ok := parseAttrs(o.Meta); !ok || !a.mode.IsDir() || len(o.Value) > 0 {
		return errors.New("ends in a slash, and is no directory that import stored")
	}
	return nil
}

// free makes sure that no key is in the way of a path: that it, if it is a directory, and
// all directories above it are no keys of files or links. Those would sort before it, and
// all keys between begin with them, too.
func (c *keyCheck) free(path string) error {
	for _, k := range c.above {
		if k == path || strings.HasPrefix(path[len(k):], "/") {
			return fmt.Errorf("lies in %q, which is a key itself and so cannot be a directory", k)
		}
	}
	return nil
}
