package archiver_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// dated is a vault that says when it took a segment.
type dated struct {
	*vault
	at map[string]time.Time
}

func (d *dated) List(ctx context.Context, prefix, after string) iter.Seq2[archiver.Info, error] {
	return func(yield func(archiver.Info, error) bool) {
		for i, err := range d.vault.List(ctx, prefix, after) {
			i.Modified = d.at[i.Name]
			if !yield(i, err) {
				return
			}
		}
	}
}

// jumped is an archive of 13 logs of three commits each, a second apart. In log 4, after
// number 10, the clock jumps by a span; from log 8 on it is right again, and commits stand
// behind the times that are there until it has caught up, with log 12.
func jumped(t *testing.T, begin time.Time, span time.Duration) *forger {
	f := newForger(t)
	f.time = begin.UnixNano()
	var live []segment.ID
	for id := segment.ID(1); id <= 13; id++ {
		switch id {
		case 4:
			b, place := f.running(id, live, "k=10")
			f.time += int64(span)
			for range 2 {
				f.time += f.step
				b = place.AppendRecord(b, int64(len(b)), &segment.Record{Kind: segment.Put, Flags: segment.FlagCommit | segment.FlagVouch,
					Key: []byte("k"), Value: []byte("ahead"), Seq: f.seq, Time: f.time, Vouch: int64(len(b))})
				f.seq++
			}
			end := segment.Record{Seq: f.seq, Vouch: int64(len(b)), Time: f.time + 1}
			end.SetEnd(f.ref(id + 1))
			f.seal(place.AppendRecord(b, int64(len(b)), &end))
			live = append(live, id)
			continue
		case 8:
			f.step = 1
		case 12:
			f.step = 1e9
			f.time += 3600e9
		}
		f.log(id, live, "a=1", "b=2", "c=3")
		live = append(live, id)
	}
	return f
}

// TestAPlanForAMomentNamesAClockThatRanAhead: a plan for a moment among commits whose
// times do not tell when they were made says so, with the numbers, whatever it is that
// tells: now, the target's clock, or the times alone. Others do not.
func TestAPlanForAMomentNamesAClockThatRanAhead(t *testing.T) {
	const year = 365 * 24 * time.Hour
	now := time.Now()
	for _, c := range []struct {
		what  string
		begin time.Time
		dated bool
	}{
		{"the run is not over", now.Add(-time.Hour * 24), false},
		{"over, and the target tells", now.Add(-3 * year), true},
	} {
		f := jumped(t, c.begin, year)
		var target archiver.Target = f.v
		if c.dated {
			d := &dated{f.v, map[string]time.Time{}}
			for id := segment.ID(1); id <= 13; id++ {
				at := c.begin.Add(time.Duration(id) * time.Minute)
				if id >= 12 {
					at = c.begin.Add(year + 7200*time.Second) // the clock has caught up
				}
				d.at[objectOf(f.uuid, f.ref(id))] = at
			}
			target = d
		}
		_, err := archiver.Init(t.Context(), target)
		testkit.Must(t, err)
		a, err := archiver.OpenArchive(t.Context(), target)
		testkit.Must(t, err)
		last := uint64(39)
		if c.dated {
			last = 33
		}
		for _, at := range []time.Duration{20 * time.Second, 25 * time.Hour, year / 2, year + 16*time.Second, year + 25*time.Second} {
			for _, p := range []archiver.Point{{Time: c.begin.Add(at)}, {Before: c.begin.Add(at)}} {
				plan := planOf(t, a, f.uuid, p)
				if j := plan.Clock; j == nil || j.AfterSeq != 10 || j.LastSeq != last || j.Segment != f.ref(4) || j.Ahead == c.dated || !j.AfterTime.Equal(c.begin.Add(13*time.Second)) {
					t.Errorf("%s: %v: number %d, %+v", c.what, at, plan.Seq, j)
				}
			}
		}
		sound := []archiver.Point{{}, {Seq: 12}, {Time: c.begin.Add(5 * time.Second)}, {Time: c.begin.Add(13 * time.Second)}}
		if c.dated {
			sound = append(sound, archiver.Point{Time: c.begin.Add(year + 3631*time.Second)})
		}
		for _, p := range sound {
			if plan := planOf(t, a, f.uuid, p); plan.Clock != nil {
				t.Errorf("%s: %v: number %d, %v", c.what, &p, plan.Seq, plan.Clock)
			}
		}
	}
}

// TestAPlanForAMomentNamesCommitsThatStandBehind: no other clock tells, but the commits of
// the next log are too near to each other.
func TestAPlanForAMomentNamesCommitsThatStandBehind(t *testing.T) {
	f := newForger(t)
	f.log(1, nil, "a=1", "b=2")
	before := f.time
	f.time += 86400e9
	f.step = 1
	ops := make([]string, 20)
	for i := range ops {
		ops[i] = "k=v"
	}
	f.log(2, []segment.ID{1}, ops...)
	f.step, f.time = 1e9, f.time+86400e9
	f.log(3, []segment.ID{1, 2}, "c=3")
	a := f.v.open(t)
	for _, at := range []int64{before + 3600e9, before + 86400e9 + 7} {
		plan := planOf(t, a, f.uuid, archiver.Point{Time: time.Unix(0, at)})
		if j := plan.Clock; j == nil || j.AfterSeq != 2 || j.LastSeq != 22 || j.Segment != f.ref(2) || j.Ahead {
			t.Errorf("%d: number %d, %+v", at, plan.Seq, j)
		}
	}
	for _, at := range []int64{before, before + 2*86400e9} {
		if plan := planOf(t, a, f.uuid, archiver.Point{Time: time.Unix(0, at)}); plan.Clock != nil {
			t.Errorf("%d: number %d, %v", at, plan.Seq, plan.Clock)
		}
	}
}
