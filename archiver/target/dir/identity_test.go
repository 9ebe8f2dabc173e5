package dir_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

const identityObject = "varve-archive.json"

func TestIdentityIsMadeOnce(t *testing.T) {
	d := archivetest.OpenDir(t, t.TempDir())
	ids := make([]target.Identity, 20)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			id, err := target.Init(t.Context(), d)
			if err != nil {
				t.Error(err)
			}
			ids[i] = id
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] || len(id.ID) != 32 || id.Format != 1 || time.Since(id.Made).Abs() > time.Hour {
			t.Fatalf("%+v and %+v", id, ids[0])
		}
	}
	if id, err := target.Identify(t.Context(), d); err != nil || id != ids[0] {
		t.Errorf("%+v, %v", id, err)
	}
	other, err := target.Init(t.Context(), archivetest.OpenDir(t, t.TempDir()))
	if err != nil || other.ID == ids[0].ID {
		t.Errorf("another archive is %+v, %v", other, err)
	}
}

func TestNoIdentity(t *testing.T) {
	_, err := target.Identify(t.Context(), archivetest.OpenDir(t, t.TempDir()))
	if !errors.Is(err, target.ErrNoIdentity) || !strings.HasPrefix(err.Error(), "file:///") || strings.Contains(err.Error(), "%!") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := target.Identify(ctx, archivetest.OpenDir(t, t.TempDir())); errors.Is(err, target.ErrNoIdentity) || !errors.Is(err, context.Canceled) {
		t.Errorf("a target that could not be asked: %v", err)
	}
}

func TestDamagedIdentity(t *testing.T) {
	const id = "000102030405060708090a0b0c0d0e0f"
	for what, content := range map[string]string{
		"empty":        "",
		"cut":          `{"format":1,"id":"` + id,
		"zeros":        string(make([]byte, 100)),
		"no format":    `{"id":"` + id + `"}`,
		"no id":        `{"format":1}`,
		"short id":     `{"format":1,"id":"` + id[1:] + `"}`,
		"path as id":   `{"format":1,"id":"../../../../../../../../../../etc"}`,
		"upper case":   `{"format":1,"id":"` + strings.ToUpper(id) + `"}`,
		"two":          strings.Repeat(`{"format":1,"id":"`+id+`"}`, 2),
		"endless":      strings.Repeat(" ", 1<<20) + `{"format":1,"id":"` + id + `"}`,
		"newer format": `{"format":2,"name":"` + id + `"}`,
	} {
		disk := crashfs.New()
		disk.SetBytes(identityObject, []byte(content))
		d := dir.OpenFS(disk, "file:///x")
		_, err1 := target.Identify(t.Context(), d)
		_, err2 := target.Init(t.Context(), d)
		for _, err := range []error{err1, err2} {
			if err == nil || errors.Is(err, target.ErrNoIdentity) || !strings.Contains(err.Error(), identityObject) ||
				errors.Is(err, segment.ErrVersion) != (what == "newer format") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if string(disk.Bytes(identityObject)) != content {
			t.Errorf("%s: it was changed", what)
		}
	}
}

// TestIdentityPowerCut kills Init after every operation, and makes another:
// what that one returned is there after a power cut.
func TestIdentityPowerCut(t *testing.T) {
	disk := newDisk(t)
	rec := disk.Record()
	s, err := openScene(disk)
	testkit.Must(t, err)
	_, err = target.Init(t.Context(), s.target)
	testkit.Must(t, err)
	for n := rec.First(); n <= rec.Ops(); n++ {
		killed := rec.At(n)
		s, err := openScene(killed)
		testkit.Must(t, err)
		want, err := target.Init(t.Context(), s.target)
		testkit.Must(t, err)
		for state, crashed := range killed.States(crashSeed) {
			s, err := openScene(crashed)
			testkit.Must(t, err)
			if id, err := target.Identify(t.Context(), s.target); err != nil || id != want {
				t.Errorf("killed after %v, then cut, %v: %v, %v; want %v", rec.Op(n), state, id, err, want)
			}
		}
	}
}
