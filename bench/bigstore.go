package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	bigValue = 1024 // bytes of a value in the stores of the stages

	// bigRecord is about what an object takes of a segment, its entry in the table
	// included.
	bigRecord = bigValue + 2*keyLen + 36

	// bigLog is about how much the newest log of such a store holds, where the store is
	// not tiny.
	bigLog = 60 << 20
)

// bigStore is a store that stages read, and leave as it is. It was closed in
// order, with a newest log of up to bigLog.
type bigStore struct {
	dir     string
	objects int
	bytes   int64 // of all segments
	newest  int64 // of the newest log
}

// gigabytes is the size of all segments.
func (b *bigStore) gigabytes() float64 { return float64(b.bytes) / 1e9 }

// store returns a store of so many gigabytes, which it makes if it is not there
// yet. It is kept while experiments that need stores follow each other.
func (s *stage) store(gb float64, segmentSize int64) (*bigStore, error) {
	b := &bigStore{dir: filepath.Join(s.r.fixtures, fmt.Sprintf("%g-%d", gb, segmentSize))}
	log := int(min(bigLog, gb*1e9/16)) / bigRecord
	sealed := int(gb*1e9)/bigRecord - log
	b.objects = sealed + log
	if _, err := os.Stat(b.dir); err != nil {
		if err := s.grow(b.dir, 0, sealed, segmentSize, true); err != nil {
			return nil, err
		}
		// Closing seals a log of over an eighth of the cap.
		if err := s.grow(b.dir, sealed, log, 16*bigLog, false); err != nil {
			return nil, err
		}
	}
	var err error
	if b.bytes, err = sizesOf(b.dir, ".seg", ".open"); err == nil {
		b.newest, err = sizesOf(b.dir, ".open")
	}
	return b, err
}

// grow adds n objects, from number at on, to the store in a folder, has the log sealed
// if seal, and closes it.
func (s *stage) grow(dir string, at, n int, segmentSize int64, seal bool) error {
	_, err := s.child(task{Work: "grow", Dir: dir, Keys: random, N: n, More: at, Value: bigValue, Segment: segmentSize, Synced: seal})
	return err
}

// runGrow puts objects in batches and closes the store. With Synced it seals the
// log first.
func runGrow(t *task) (figures, error) {
	e, err := t.open("", config{Batches: true, SegmentSize: t.Segment})
	if err != nil {
		return nil, err
	}
	if _, err := fill(e, newGen(t.Keys, t.N, t.Value), t.More, t.More+t.N, time.Hour); err != nil {
		return nil, err
	}
	if t.Synced {
		if _, err := e.(*varveEngine).db.Seal(); err != nil {
			return nil, err
		}
	}
	return figures{}, e.Close()
}

// files returns the files in a folder and those below it whose names have one of
// the endings; all without any.
func files(dir string, endings ...string) ([]string, error) {
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if len(endings) == 0 || slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(path, e) }) {
			all = append(all, path)
		}
		return nil
	})
	return all, err
}

// sizesOf returns the bytes of such files.
func sizesOf(dir string, endings ...string) (int64, error) {
	all, err := files(dir, endings...)
	var n int64
	for _, file := range all {
		info, serr := os.Stat(file)
		if serr != nil {
			return 0, serr
		}
		n += info.Size()
	}
	return n, err
}

// linkAll links the segment files in a folder into another one, with those endings.
func linkAll(from, to string, endings ...string) error {
	all, err := files(from, endings...)
	for _, file := range all {
		err = errors.Join(err, os.Link(file, filepath.Join(to, filepath.Base(file))))
	}
	return err
}

// copyFile makes a copy of a file, with the same mode.
func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, info.Mode().Perm())
}

// writable makes in a folder a copy of a store that may be written to: segments are
// linked, the log is copied.
func (b *bigStore) writable(dir string) error {
	if err := linkAll(b.dir, dir, ".seg"); err != nil {
		return err
	}
	logs, err := files(b.dir, ".open")
	for _, log := range logs {
		err = errors.Join(err, copyFile(log, filepath.Join(dir, filepath.Base(log))))
	}
	return err
}
