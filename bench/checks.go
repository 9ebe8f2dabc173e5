package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/check"
	"github.com/varve-db/varve/internal/vfs"
)

// Sides of the experiment on check.
const (
	hashing = "sha256sum"     // as many processes as cores
	hashGo  = "crypto/sha256" // as many goroutines as cores
	plainly = "plain read"
)

// actCheck checks a store in full, beside programs that only hash or only read its files, first
// with the files in the page cache, then without.
func actCheck(gb float64) func(*stage) error {
	return func(s *stage) error {
		b, err := s.store(gb, 0)
		if err != nil {
			return err
		}
		all, err := files(b.dir, ".seg", ".open")
		if err != nil {
			return err
		}
		read := task{Work: "read", Files: all, Writers: 1}
		if _, err := s.child(read); err != nil { // into the page cache
			return err
		}
		ours, err := s.check(b)
		if err != nil {
			return err
		}
		ours["GB"] = b.gigabytes()
		hashes, err := s.child(task{Work: "hash", Files: all, Writers: 2})
		if err != nil {
			return err
		}
		f := figures{"warm": float64(b.bytes) / hashes["seconds"]}
		s.record(hashGo, f)
		if err := s.sha256sum(b, all, f); err != nil {
			return err
		}
		if err := s.cold(b, all, ours); err != nil {
			return err
		}
		s.record("varve", ours)
		return nil
	}
}

// check returns the figures of a check in full.
func (s *stage) check(b *bigStore) (figures, error) {
	f, err := s.child(task{Work: "check", Dir: b.dir})
	if err == nil {
		f["warm"] = float64(b.bytes) / f["seconds"]
	}
	return f, err
}

// sha256sum records the figure of the real program or, where there is none, of its replacement.
func (s *stage) sha256sum(b *bigStore, all []string, instead figures) error {
	_, err1 := exec.LookPath("sha256sum")
	_, err2 := exec.LookPath("xargs")
	if err1 != nil || err2 != nil {
		s.note("sha256sum is not installed; in its place stands crypto/sha256 in 2 goroutines")
		s.record(hashing, instead)
		return nil
	}
	s.note("sha256sum is the real one, xargs -P2, one file at a time for each process")
	took, err := s.command(strings.Join(all, "\x00"), []string{"xargs", "-0", "-P2", "-n1", "sha256sum"})
	if err != nil {
		return err
	}
	s.record(hashing, figures{"warm": float64(b.bytes) / took})
	return nil
}

// cold adds to ours, and records for a plain read, the rates without the page cache.
func (s *stage) cold(b *bigStore, all []string, ours figures) error {
	plain := figures{}
	for _, x := range []struct {
		name string
		f    figures
		task task
	}{
		{"cold, 1 reader", plain, task{Work: "read", Files: all, Writers: 1}},
		{"cold, 2 readers", plain, task{Work: "read", Files: all, Writers: 2}},
		{"cold", ours, task{Work: "check", Dir: b.dir}},
	} {
		if ok, err := s.evicted(all); !ok {
			return err
		}
		f, err := s.child(x.task)
		if err != nil {
			return err
		}
		x.f[x.name] = float64(b.bytes) / f["seconds"]
		if x.name == "cold" { // these figures are more than those from the page cache
			ours["peak"] = max(ours["peak"], f["peak"])
		}
	}
	plain["cold"] = max(plain["cold, 1 reader"], plain["cold, 2 readers"])
	s.record(plainly, plain)
	return nil
}

// evicted drops files from the page cache, and reports whether that had an effect.
func (s *stage) evicted(all []string) (bool, error) {
	left, err := evict(all)
	if err != nil {
		s.note("nothing is measured from a cold disk: %v", err)
		return false, nil
	}
	if left > 0.02 {
		s.note("nothing is measured from a cold disk: posix_fadvise left %.0f %% of the pages in the page cache", 100*left)
		return false, nil
	}
	s.note("cold is without the page cache of this system; the host of a virtual disk may still cache")
	return true, nil
}

// runCheck checks the store in full.
func runCheck(t *task) (figures, error) {
	u := watchUsage()
	rep, err := check.Run(context.Background(), vfs.AsFS(vfs.Dir(t.Dir)), check.Options{Level: integrity.Full})
	if err != nil {
		return nil, err
	}
	f := figures{}
	u.into(f)
	if len(rep.Findings) > 0 {
		return nil, fmt.Errorf("check found %v", rep.Findings)
	}
	return f, nil
}

// runHash hashes the files.
func runHash(t *task) (figures, error) {
	return t.eachFile(func(f *os.File, buf []byte) error {
		_, err := io.CopyBuffer(sha256.New(), onlyReader{f}, buf)
		return err
	})
}

// runRead reads the files.
func runRead(t *task) (figures, error) {
	return t.eachFile(func(f *os.File, buf []byte) error {
		for {
			if _, err := f.Read(buf); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
		}
	})
}

// onlyReader hides what else a file can do, so that the buffer is used.
type onlyReader struct{ io.Reader }

// eachFile calls do for each of the task's files, in as many goroutines as it has
// writers.
func (t *task) eachFile(do func(*os.File, []byte) error) (figures, error) {
	u := watchUsage()
	names := make(chan string, len(t.Files))
	for _, name := range t.Files {
		names <- name
	}
	close(names)
	err := together(t.Writers, func() error {
		buf := make([]byte, 1<<20)
		for name := range names {
			if err := withFile(name, func(f *os.File) error { return do(f, buf) }); err != nil {
				return err
			}
		}
		return nil
	})
	f := figures{}
	u.into(f)
	return f, err
}

// together calls do in so many goroutines at a time.
func together(n int, do func() error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// withFile opens a file for do.
func withFile(name string, do func(*os.File) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return do(f)
}
