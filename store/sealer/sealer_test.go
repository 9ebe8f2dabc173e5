package sealer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/store"
)

// sealScene is a store whose log holds an object, and its sealer. What it opens is
// counted.
type sealScene struct {
	t      *testing.T
	dir    string
	sealer *Sealer
	opens  int
}

func newSealScene(t *testing.T) *sealScene {
	s := &sealScene{t: t, dir: filepath.Join(t.TempDir(), "s")}
	db, err := store.Open(s.dir, nil)
	testkit.Must(t, err)
	testkit.Must(t, db.Put([]byte("a"), []byte("1")))
	testkit.Must(t, db.Close())
	s.sealer = New(s.dir, Options{Opened: func(store.OpenReport) { s.opens++ }})
	return s
}

func (s *sealScene) unsealed() bool {
	_, _, ok, err := source.New(vfs.AsFS(vfs.Dir(s.dir))).Unsealed()
	testkit.Must(s.t, err)
	return ok
}

func (s *sealScene) requested() bool {
	_, err := os.Stat(filepath.Join(s.dir, store.SealRequest))
	return err == nil
}

// lock holds the store's lock as a writer does, one that heeds no request.
func (s *sealScene) lock() (unlock func()) {
	c, _, err := vfs.Dir(s.dir).Lock("LOCK", "a test")
	testkit.Must(s.t, err)
	return func() { testkit.Must(s.t, c.Close()) }
}

func TestSealOpensTheStoreOnlyWhereThereIsNoWriterAndSomethingToSeal(t *testing.T) {
	s := newSealScene(t)
	testkit.Must(t, s.sealer.Seal(t.Context(), time.Hour))
	if s.opens != 0 || !s.unsealed() {
		t.Errorf("a young log: opened %d times", s.opens)
	}
	for range 2 {
		testkit.Must(t, s.sealer.Seal(t.Context(), 0))
		if s.opens != 1 || s.unsealed() || s.requested() {
			t.Errorf("opened %d times, unsealed %v, requested %v", s.opens, s.unsealed(), s.requested())
		}
	}
}

func TestSealAsksALiveWriter(t *testing.T) {
	s := newSealScene(t)
	db, err := store.Open(s.dir, nil)
	testkit.Must(t, err)
	var wg sync.WaitGroup
	for range 3 { // several ask at once
		sealer := New(s.dir, Options{})
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
	testkit.Must(t, db.Close())
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
	testkit.Must(t, <-done)
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
		testkit.Must(t, os.Remove(filepath.Join(s.dir, store.SealRequest)))
	}
	unlock()
	testkit.Must(t, <-done)
	if s.unsealed() {
		t.Error("it is not sealed")
	}
}

// With NoRequests nothing is written into the folder: a writer is not asked, and without one the
// answer is known all the same.
func TestNoRequests(t *testing.T) {
	s := newSealScene(t)
	quiet := New(s.dir, Options{NoRequests: true})
	unlock := s.lock()
	if live, err := quiet.Settle(t.Context()); !live || !errors.Is(err, ErrNoRequests) {
		t.Errorf("beside a writer: %v, %v", live, err)
	}
	if err := quiet.Seal(t.Context(), 0); !errors.Is(err, ErrNoRequests) || s.requested() {
		t.Errorf("seal beside a writer: %v; requested %v", err, s.requested())
	}
	unlock()
	if live, err := quiet.Settle(t.Context()); live || err != nil {
		t.Errorf("without a writer: %v, %v", live, err)
	}
}

// A Sealer is what an archiver beside a live writer needs.
var (
	_ archiver.Sealer  = (*Sealer)(nil)
	_ archiver.Barrier = (*Sealer)(nil)
)
