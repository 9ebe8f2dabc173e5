package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/store"
)

// sealScene is a store whose log holds an object, and its sealer. What it opens is
// counted.
type sealScene struct {
	t      *testing.T
	dir    string
	sealer *logSealer
	opens  int
}

func newSealScene(t *testing.T) *sealScene {
	s := &sealScene{t: t, dir: filepath.Join(t.TempDir(), "s")}
	db, err := store.Open(s.dir, nil)
	must(t, err)
	must(t, db.Put([]byte("a"), []byte("1")))
	must(t, db.Close())
	s.sealer = (&app{}).sealer(s.dir)
	s.sealer.opened = func(store.OpenReport) { s.opens++ }
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *sealScene) unsealed() bool {
	_, _, ok, err := source.New(vfs.AsFS(vfs.Dir(s.dir))).Unsealed()
	must(s.t, err)
	return ok
}

func (s *sealScene) requested() bool {
	_, err := os.Stat(filepath.Join(s.dir, store.SealRequest))
	return err == nil
}

// lock holds the store's lock as a writer does, one that heeds no request.
func (s *sealScene) lock() (unlock func()) {
	c, _, err := vfs.Dir(s.dir).Lock("LOCK", "a test")
	must(s.t, err)
	return func() { must(s.t, c.Close()) }
}

func TestSealOpensTheStoreOnlyWhereThereIsNoWriterAndSomethingToSeal(t *testing.T) {
	s := newSealScene(t)
	must(t, s.sealer.Seal(t.Context(), time.Hour))
	if s.opens != 0 || !s.unsealed() {
		t.Errorf("a young log: opened %d times", s.opens)
	}
	for range 2 {
		must(t, s.sealer.Seal(t.Context(), 0))
		if s.opens != 1 || s.unsealed() || s.requested() {
			t.Errorf("opened %d times, unsealed %v, requested %v", s.opens, s.unsealed(), s.requested())
		}
	}
}

func TestSealAsksALiveWriter(t *testing.T) {
	s := newSealScene(t)
	db, err := store.Open(s.dir, nil)
	must(t, err)
	var wg sync.WaitGroup
	for range 3 { // several ask at once
		sealer := (&app{}).sealer(s.dir)
		wg.Go(func() {
			if err := sealer.Seal(t.Context(), 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.unsealed() || s.requested() {
		t.Errorf("unsealed %v, requested %v", s.unsealed(), s.requested())
	}
	must(t, db.Close())
}

func TestSealOfAWriterThatDoesNotAnswerEnds(t *testing.T) {
	s := newSealScene(t)
	defer s.lock()()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("not within the time"))
	defer cancel()
	err := s.sealer.Seal(ctx, 0)
	if err == nil || !strings.Contains(err.Error(), "not within the time; see what the writer logs") {
		t.Errorf("error %v", err)
	}
	if s.requested() {
		t.Error("the request was left there")
	}
}

func TestSealGoesOnByItselfWhenTheWriterEnds(t *testing.T) {
	s := newSealScene(t)
	unlock := s.lock()
	done := make(chan error)
	go func() { done <- s.sealer.Seal(t.Context(), 0) }()
	for !s.requested() {
		time.Sleep(time.Millisecond)
	}
	unlock()
	must(t, <-done)
	if s.opens != 1 || s.unsealed() || s.requested() {
		t.Errorf("opened %d times, unsealed %v, requested %v", s.opens, s.unsealed(), s.requested())
	}
}

// TestSealAnsweredForSomebodyElseIsAskedAgain has a request removed before the log is
// sealed, as when the writer answers one that was made just before.
func TestSealAnsweredForSomebodyElseIsAskedAgain(t *testing.T) {
	s := newSealScene(t)
	unlock := s.lock()
	done := make(chan error)
	go func() { done <- s.sealer.Seal(t.Context(), 0) }()
	for range 2 {
		for !s.requested() {
			time.Sleep(time.Millisecond)
		}
		must(t, os.Remove(filepath.Join(s.dir, store.SealRequest)))
	}
	unlock()
	must(t, <-done)
	if s.unsealed() {
		t.Error("it is not sealed")
	}
}
