package history_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// dated is a vault that says when it took a segment.
type dated struct {
	*archivetest.Vault
	at map[string]time.Time
}

func (d *dated) List(ctx context.Context, prefix, after string) iter.Seq2[target.Info, error] {
	return func(yield func(target.Info, error) bool) {
		for i, err := range d.Vault.List(ctx, prefix, after) {
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
func jumped(t *testing.T, begin time.Time, span time.Duration) *archivetest.Forger {
	f := archivetest.NewForger(t)
	f.Time = begin.UnixNano()
	var live []segment.ID
	for id := segment.ID(1); id <= 13; id++ {
		switch id {
		case 4:
			b, place := f.Running(id, live, "k=10")
			f.Time += int64(span)
			for range 2 {
				f.Time += f.Step
				b = place.AppendRecord(b, int64(len(b)), &segment.Record{Kind: segment.Put, Flags: segment.FlagCommit | segment.FlagVouch,
					Key: []byte("k"), Value: []byte("ahead"), Seq: f.Seq, Time: f.Time, Vouch: int64(len(b))})
				f.Seq++
			}
			end := segment.Record{Seq: f.Seq, Vouch: int64(len(b)), Time: f.Time + 1}
			end.SetEnd(f.Ref(id + 1))
			f.Seal(place.AppendRecord(b, int64(len(b)), &end))
			live = append(live, id)
			continue
		case 8:
			f.Step = 1
		case 12:
			f.Step = 1e9
			f.Time += 3600e9
		}
		f.Log(id, live, "a=1", "b=2", "c=3")
		live = append(live, id)
	}
	return f
}

// TestAPlanForAMomentNamesAClockThatRanAhead: a plan for a moment among commits whose times do
// not show when they were made says so, with the numbers, whether now, the target's clock or the
// times alone show it. Others do not.
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
		var to target.Target = f.V
		if c.dated {
			d := &dated{f.V, map[string]time.Time{}}
			for id := segment.ID(1); id <= 13; id++ {
				at := c.begin.Add(time.Duration(id) * time.Minute)
				if id >= 12 {
					at = c.begin.Add(year + 7200*time.Second) // the clock has caught up
				}
				d.at[archivetest.ObjectOf(f.UUID, f.Ref(id))] = at
			}
			to = d
		}
		_, err := target.Init(t.Context(), to)
		testkit.Must(t, err)
		a, err := archive.Open(t.Context(), to)
		testkit.Must(t, err)
		last := uint64(39)
		if c.dated {
			last = 33
		}
		for _, at := range []time.Duration{20 * time.Second, 25 * time.Hour, year / 2, year + 16*time.Second, year + 25*time.Second} {
			for _, p := range []history.Point{{Time: c.begin.Add(at)}, {Before: c.begin.Add(at)}} {
				plan := archivetest.PlanOf(t, a, f.UUID, p)
				if j := plan.Clock; j == nil || j.AfterSeq != 10 || j.LastSeq != last || j.Segment != f.Ref(4) || j.Ahead == c.dated || !j.AfterTime.Equal(c.begin.Add(13*time.Second)) {
					t.Errorf("%s: %v: number %d, %+v", c.what, at, plan.Seq, j)
				}
			}
		}
		sound := []history.Point{{}, {Seq: 12}, {Time: c.begin.Add(5 * time.Second)}, {Time: c.begin.Add(13 * time.Second)}}
		if c.dated {
			sound = append(sound, history.Point{Time: c.begin.Add(year + 3631*time.Second)})
		}
		for _, p := range sound {
			if plan := archivetest.PlanOf(t, a, f.UUID, p); plan.Clock != nil {
				t.Errorf("%s: %v: number %d, %v", c.what, &p, plan.Seq, plan.Clock)
			}
		}
	}
}

// TestAPlanForAMomentNamesCommitsThatStandBehind: no other clock tells, but the commits of
// the next log are too near to each other.
func TestAPlanForAMomentNamesCommitsThatStandBehind(t *testing.T) {
	f := archivetest.NewForger(t)
	f.Log(1, nil, "a=1", "b=2")
	before := f.Time
	f.Time += 86400e9
	f.Step = 1
	ops := make([]string, 20)
	for i := range ops {
		ops[i] = "k=v"
	}
	f.Log(2, []segment.ID{1}, ops...)
	f.Step, f.Time = 1e9, f.Time+86400e9
	f.Log(3, []segment.ID{1, 2}, "c=3")
	a := f.V.Archive(t)
	for _, at := range []int64{before + 3600e9, before + 86400e9 + 7} {
		plan := archivetest.PlanOf(t, a, f.UUID, history.Point{Time: time.Unix(0, at)})
		if j := plan.Clock; j == nil || j.AfterSeq != 2 || j.LastSeq != 22 || j.Segment != f.Ref(2) || j.Ahead {
			t.Errorf("%d: number %d, %+v", at, plan.Seq, j)
		}
	}
	for _, at := range []int64{before, before + 2*86400e9} {
		if plan := archivetest.PlanOf(t, a, f.UUID, history.Point{Time: time.Unix(0, at)}); plan.Clock != nil {
			t.Errorf("%d: number %d, %v", at, plan.Seq, plan.Clock)
		}
	}
}
