package archiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// beatLines are two timelines that beat by turns, as a store and one that was restored from it.
var beatLines = []segment.Timeline{0xa, 0xb}

var beatBegin = time.Unix(1.7e9, 0).UTC()

// beating writes heartbeats to a target, of which each may fail.
type beating struct {
	begun, done map[segment.Timeline]time.Time // the last heartbeat begun, and the last put without an error
	n           int
}

func newBeating() *beating {
	return &beating{map[segment.Timeline]time.Time{}, map[segment.Timeline]time.Time{}, 0}
}

// beat writes the next heartbeat.
func (b *beating) beat(t testing.TB, to target.Target) error {
	line := beatLines[b.n%2]
	at := beatBegin.Add(time.Duration(b.n) * time.Minute)
	b.n++
	b.begun[line] = at
	_, err := archive.Of(to, target.Identity{}).PutHeartbeat(t.Context(), &archive.Heartbeat{Store: archivesim.UUID, Timeline: line, Seq: uint64(b.n), At: at})
	if err == nil {
		b.done[line] = at
	}
	return err
}

// holds reports what must never be: a heartbeat that was not written, one older than
// another that was known to be there, and names or objects that nobody understands. With
// tidy there must be one of each timeline.
func (b *beating) holds(t testing.TB, to target.Target, tidy bool) error {
	a := archive.Of(to, target.Identity{})
	newest, older, unknown, unreadable, err := a.Heartbeats(t.Context(), archivesim.UUID)
	if err != nil || len(unknown)+len(unreadable) > 0 || tidy && len(older) > 0 {
		return fmt.Errorf("older %v, unknown %q, unreadable %v: %w", older, unknown, unreadable, err)
	}
	for _, line := range beatLines {
		h, err := a.Heartbeat(t.Context(), archivesim.UUID, line)
		switch {
		case err != nil:
			return err
		case h == nil:
			if !b.done[line].IsZero() {
				return fmt.Errorf("timeline %v: no heartbeat, though that of %v was put", line, b.done[line])
			}
		case h.At.After(b.begun[line]) || h.At.Before(b.done[line]) || h.At.Sub(beatBegin)/time.Minute != time.Duration(h.Seq)-1 || newest[line].ID != h.ID:
			return fmt.Errorf("timeline %v: %+v; put %v, begun %v", line, h, b.done[line], b.begun[line])
		}
	}
	return nil
}

// TestHeartbeatPowerCut cuts the power after every operation of writing heartbeats and of
// removing those before: what was put stays, and the next ones go on from there.
func TestHeartbeatPowerCut(t *testing.T) {
	t.Parallel()
	const seed = 1
	disk := crashfs.New()
	_, err := target.Init(t.Context(), dir.OpenFS(disk, "file:///archive"))
	testkit.Must(t, err)
	rec := disk.Record()
	d, run := dir.OpenFS(disk, "file:///archive"), newBeating()
	at := []int{rec.Ops()} // how many operations there were before each heartbeat
	for range 6 {
		testkit.Must(t, run.beat(t, d))
		at = append(at, rec.Ops())
	}
	for n := rec.First(); n <= rec.Ops(); n++ {
		b := newBeating()
		for i := range 6 {
			when := beatBegin.Add(time.Duration(i) * time.Minute)
			if n > at[i] {
				b.begun[beatLines[i%2]] = when
			}
			if n >= at[i+1] {
				b.done[beatLines[i%2]] = when
			}
		}
		b.n = 6
		for state, crashed := range rec.At(n).States(seed) {
			d := dir.OpenFS(crashed, "file:///archive")
			then := &beating{map[segment.Timeline]time.Time{}, map[segment.Timeline]time.Time{}, 6}
			err := b.holds(t, d, false)
			if err == nil {
				err = errors.Join(then.beat(t, d), then.beat(t, d))
			}
			if err == nil {
				err = then.holds(t, d, true)
			}
			if err != nil {
				t.Errorf("cut after %v, %v: %v", rec.Op(n), state, err)
			}
		}
	}
}

// TestHeartbeatFailedCalls lets each call of the disk, and each call of a target, fail once,
// with the answer lost or never sent. The next heartbeats go on.
func TestHeartbeatFailedCalls(t *testing.T) {
	t.Parallel()
	try := func(what string, to target.Target, arm func(), failed func() bool) bool {
		t.Helper()
		_, err := target.Init(t.Context(), to)
		testkit.Must(t, err)
		b := newBeating()
		testkit.Must(t, b.beat(t, to))
		testkit.Must(t, b.beat(t, to))
		arm()
		for range 3 {
			_ = b.beat(t, to)
		}
		hit := failed()
		if err := b.holds(t, to, false); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if err := errors.Join(b.beat(t, to), b.beat(t, to), b.holds(t, to, true)); err != nil {
			t.Errorf("%s, then: %v", what, err)
		}
		return hit
	}
	for n, hit := 1, true; hit; n++ {
		disk, hits := crashfs.New(), false
		hook := crashfs.FailNth(n, syscall.EIO, true)
		hit = try(fmt.Sprintf("call %d of the disk fails", n), dir.OpenFS(disk, "file:///archive"),
			func() {
				disk.Fail(func(op crashfs.Op) error {
					err := hook(op)
					hits = hits || err != nil
					return err
				})
			},
			func() bool { disk.Fail(nil); return hits })
	}
	for _, lost := range []bool{false, true} {
		for n, hit := 1, true; hit; n++ {
			m, calls := newMemTarget("mem://0"), 0
			fail := func() error {
				if calls++; calls == n {
					return errors.New("503")
				}
				return nil
			}
			hit = try(fmt.Sprintf("call %d fails, answer lost: %v", n, lost), m, func() {
				if lost {
					m.hook(nil, func(string, string) error { return fail() })
				} else {
					m.hook(func(context.Context, string, string) error { return fail() }, nil)
				}
			}, func() bool { m.hook(nil, nil); return calls >= n })
		}
	}
}

// TestHeartbeatDamage changes every byte of a heartbeat, and cuts it at every length: it is
// never believed, the one before it is, and it is named.
func TestHeartbeatDamage(t *testing.T) {
	t.Parallel()
	m := newMemTarget("mem://0")
	a := archivesim.Open(t, m)
	var names []string
	var beats [][]byte
	for i := range 2 {
		h := &archive.Heartbeat{Store: archivesim.UUID, Timeline: 0xa, Seq: uint64(i + 1), At: beatBegin.Add(time.Duration(i) * time.Minute)}
		_, err := a.PutHeartbeat(t.Context(), h)
		testkit.Must(t, err)
		b, _ := m.get(h.Object())
		names, beats = append(names, h.Object()), append(beats, b)
	}
	m.set(names[0], beats[0]) // which the second took the place of
	whole := beats[1]
	check := func(what string, b []byte) {
		t.Helper()
		m.set(names[1], b)
		h, err := a.Heartbeat(t.Context(), archivesim.UUID, 0xa)
		if err != nil || h == nil || h.ID != 1 {
			t.Errorf("%s: %+v, %v", what, h, err)
		}
		newest, older, _, unreadable, err := a.Heartbeats(t.Context(), archivesim.UUID)
		if err != nil || len(newest) != 1 || len(older) != 0 || len(unreadable) != 1 || !strings.Contains(unreadable[0].Error(), names[1]) {
			t.Errorf("%s: newest %v, older %v, unreadable %v, %v", what, newest, older, unreadable, err)
		}
	}
	for i := range whole {
		for _, mask := range []byte{0x01, 0x20, 0x80, 0xff} {
			b := slices.Clone(whole)
			b[i] ^= mask
			check(fmt.Sprintf("byte %d with mask %#x", i, mask), b)
		}
		check(fmt.Sprintf("cut to %d bytes", i), whole[:i])
	}
	check("a byte more", append(slices.Clone(whole), '\n'))
	b, _ := m.get(names[0])
	check("another's bytes", b)
	m.set(names[1], whole)
	if h, err := a.Heartbeat(t.Context(), archivesim.UUID, 0xa); err != nil || h == nil || h.ID != 2 {
		t.Errorf("whole again: %+v, %v", h, err)
	}
}
