package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/store"
)

// TestExitCodesOfSeveral is about errors that were joined, such as those of several archives.
func TestExitCodesOfSeveral(t *testing.T) {
	away := &archiver.AwayError{URL: "file:///a", Was: "0123", Err: target.ErrNoIdentity}
	never := &archiver.AwayError{URL: "file:///a", Err: target.ErrNoIdentity}
	full := fmt.Errorf("put: %w", target.ErrFull)
	for _, c := range []struct {
		want int
		errs []error
	}{
		{exitOther, []error{away}},
		{exitUsage, []error{never}},
		{exitOther, []error{full, away}},
		{exitOther, []error{full, never}},
		{exitOther, []error{errors.Join(full, full), &targetError{"a line", away}}},
		{exitDamage, []error{full, away, archiver.ErrSetAside}},
		{exitDamage, []error{target.ErrConflict, never}},
		{exitDamage, []error{never, errors.Join(nil, source.ErrBroken)}},
		{exitUsage, []error{never, usagef("bad")}},
		{exitNotFound, []error{store.ErrNotFound}},
		{exitOther, []error{store.ErrNotFound, errors.New("close")}},
		{exitDamage, []error{&store.UnfinishedError{Dir: "d"}}},
		{exitSignal + 2, []error{target.ErrConflict, &interrupted{2}}},
	} {
		if got := exitCode(errors.Join(c.errs...)); got != c.want {
			t.Errorf("%q: exit code %d, want %d", c.errs, got, c.want)
		}
	}
}

// TestOneLineForEachError leaves out what another line says.
func TestOneLineForEachError(t *testing.T) {
	gone := &store.GoneError{Path: "s/1.open", Removed: true}
	first := errors.New("first")
	for _, c := range []struct {
		err  error
		want []string
	}{
		{errors.Join(first, errors.Join(nil, errors.New("second"))), []string{"first", "second"}},
		{errors.Join(gone, gone), []string{gone.Error()}},
		{errors.Join(gone, fmt.Errorf("%w; stored up to there: nothing", gone)), []string{gone.Error() + "; stored up to there: nothing"}},
		{errors.Join(fmt.Errorf("%w; stored up to there: nothing", gone), gone), []string{gone.Error() + "; stored up to there: nothing"}},
		{fmt.Errorf("%w; hint", errors.Join(first, errors.New("second"))), []string{"first; second; hint"}},
		{fmt.Errorf("%w: %w", first, gone), []string{"first: " + gone.Error()}},
	} {
		if got := errorLines(c.err); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.err, got, c.want)
		}
	}
}

// TestOneLineForEachArchive is what "archive once" prints of two archives, one of which is
// full and one away.
func TestOneLineForEachArchive(t *testing.T) {
	since := time.Date(2026, 11, 20, 15, 4, 5, 0, time.Local)
	put := func(n int) error {
		return fmt.Errorf("segment 1/%d: file:///full: put .tmp-%d: %w; make room", n, n, target.ErrFull)
	}
	full := errors.Join(put(1), put(2))
	away := &archiver.AwayError{URL: "file:///away", Was: "0123", Err: fmt.Errorf("file:///away: %w", target.ErrNoIdentity)}
	r := &archiver.OnceReport{Targets: []archiver.TargetReport{
		{URL: "file:///full", Left: 2, LeftBytes: 2048, Err: full, Alarm: &archiver.Alarm{Kind: alarm.Full, Since: since}},
		{URL: "file:///well"},
		{URL: "file:///away", Left: 1, LeftBytes: 1024, Err: away, Alarm: &archiver.Alarm{Kind: alarm.Away, Since: since}},
		{URL: "file:///slow", Err: errors.New("timeout")},
	}}
	err := targetErrors(r, errors.Join(errors.New("not sealed"), errors.Join(full, nil, away, r.Targets[3].Err)))
	want := []string{
		"file:///full: the archive is full; make room there, or give up old backups: varve backup prune (and 1 more failure); since 2026-11-20 15:04:05; 2 segments wait, 2.0 KiB",
		"file:///away: " + target.ErrNoIdentity.Error() + "; it was archive 0123; what waits is shipped when that archive is back; since 2026-11-20 15:04:05; 1 segment waits, 1.0 KiB",
		"file:///slow: timeout; nothing waits",
		"not sealed",
	}
	if got := errorLines(err); !slices.Equal(got, want) {
		t.Errorf("it prints\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if code := exitCode(err); code != exitOther {
		t.Errorf("exit code %d", code)
	}
}
