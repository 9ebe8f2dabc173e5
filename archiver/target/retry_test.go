package target_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
)

// moodyTarget answers each request with the next of its moods, and well when there are
// no more: it fails, hangs, or breaks off after so many names or bytes.
type moodyTarget struct {
	*archivesim.Target
	moods []string // "fail", "hang", "cut"
	after int      // of "cut"
}

var errMoody = errors.New("the server answers 503")

func (m *moodyTarget) mood(ctx context.Context) (string, error) {
	if len(m.moods) == 0 {
		return "", nil
	}
	mood := m.moods[0]
	m.moods = m.moods[1:]
	switch mood {
	case "fail":
		return mood, errMoody
	case "hang":
		<-ctx.Done()
		return mood, ctx.Err()
	}
	return mood, nil
}

func (m *moodyTarget) Stat(ctx context.Context, name string) (target.Info, error) {
	if _, err := m.mood(ctx); err != nil {
		return target.Info{}, err
	}
	return m.Target.Stat(ctx, name)
}

func (m *moodyTarget) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	mood, err := m.mood(ctx)
	if err != nil {
		return nil, err
	}
	r, err := m.Target.Open(ctx, name, off, n)
	if err == nil && mood == "cut" {
		r = io.NopCloser(io.MultiReader(io.LimitReader(r, int64(m.after)), moodyReader{m, ctx}))
	}
	return r, err
}

// moodyReader is what follows where a body is cut: the next mood, or an error.
type moodyReader struct {
	m   *moodyTarget
	ctx context.Context
}

func (r moodyReader) Read([]byte) (int, error) {
	if _, err := r.m.mood(r.ctx); err != nil {
		return 0, err
	}
	return 0, errMoody
}

func (m *moodyTarget) List(ctx context.Context, prefix, after string) iter.Seq2[target.Info, error] {
	return func(yield func(target.Info, error) bool) {
		mood, err := m.mood(ctx)
		if err != nil {
			yield(target.Info{}, err)
			return
		}
		n := 0
		for info, err := range m.Target.List(ctx, prefix, after) {
			if mood == "cut" && n == m.after {
				yield(target.Info{}, errMoody)
				return
			}
			n++
			if !yield(info, err) {
				return
			}
		}
	}
}

// moodyScene is a retrying target over one with 26 small objects and a long one.
func moodyScene(t *testing.T, moods string) (*moodyTarget, target.Target) {
	m := &moodyTarget{Target: archivesim.NewTarget(time.Now), moods: strings.Fields(moods), after: 3}
	for i := range 26 {
		m.Plant(t, fmt.Sprintf("small/%c", 'a'+i), []byte{byte(i)})
	}
	m.Plant(t, "long", bytes.Repeat([]byte("0123456789abcdef"), target.RetryingHead/4))
	return m, target.Retry(m)
}

func TestAPatientTargetAsksAgain(t *testing.T) {
	for _, moods := range []string{"", "fail", "fail fail fail fail", "hang", "hang fail"} {
		synctest.Test(t, func(t *testing.T) {
			_, p := moodyScene(t, moods)
			if info, err := p.Stat(t.Context(), "small/b"); err != nil || info.Size != 1 {
				t.Errorf("%q: stat: %+v, %v", moods, info, err)
			}
			_, p = moodyScene(t, moods)
			if b, err := readObject(t.Context(), p, "small/c", 1<<20); err != nil || !bytes.Equal(b, []byte{2}) {
				t.Errorf("%q: open: %v, %v", moods, b, err)
			}
			_, p = moodyScene(t, moods)
			if names, err := lettered(p); err != nil || names != "abcdefghijklmnopqrstuvwxyz" {
				t.Errorf("%q: list: %s, %v", moods, names, err)
			}
		})
	}
}

func TestAPatientTargetGivesUp(t *testing.T) {
	for _, c := range []struct {
		moods string
		want  error
	}{
		{"fail fail fail fail fail", errMoody},
		{"hang hang hang", target.ErrTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			_, p := moodyScene(t, c.moods)
			if _, err := p.Stat(t.Context(), "small/b"); !errors.Is(err, c.want) {
				t.Errorf("%q: stat: %v", c.moods, err)
			}
			if d := time.Since(began); d > 2*target.Patience {
				t.Errorf("%q: stat gave up after %v", c.moods, d)
			}
			_, p = moodyScene(t, c.moods)
			if names, err := lettered(p); !errors.Is(err, c.want) || names != "" {
				t.Errorf("%q: list: %s, %v", c.moods, names, err)
			}
		})
	}
}

func TestAPatientTargetDoesNotAskAgainWhatIsDecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := moodyScene(t, "")
		if _, err := p.Stat(t.Context(), "absent"); !errors.Is(err, target.ErrNotExist) || m.Count["stat"] != 1 {
			t.Errorf("%v after %d requests", err, m.Count["stat"])
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		m.moods = []string{"fail", "fail"}
		if _, err := p.Stat(ctx, "small/a"); !errors.Is(err, errMoody) || len(m.moods) != 1 {
			t.Errorf("after the end of its context: %v, %d left", err, len(m.moods))
		}
	})
}

func TestAPatientListGoesOnWhereItBrokeOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := moodyScene(t, "cut cut fail cut hang fail cut")
		if names, err := lettered(p); err != nil || names != "abcdefghijklmnopqrstuvwxyz" || len(m.moods) > 0 {
			t.Errorf("%s, %v; left %v", names, err, m.moods)
		}
		m.moods = []string{"cut"}
		for range p.List(t.Context(), "small/", "") {
			break // and that is all
		}
	})
}

func TestAPatientOpenHandsOutSmallObjectsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := moodyScene(t, "cut cut hang")
		m.after = 0
		if b, err := readObject(t.Context(), p, "small/z", 1<<20); err != nil || !bytes.Equal(b, []byte{25}) {
			t.Errorf("%v, %v", b, err)
		}
		want := m.Objects["long"].B
		if b, err := readObject(t.Context(), p, "long", -1); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%d bytes of %d, %v", len(b), len(want), err)
		}
	})
}

func TestALongReadThatStallsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := moodyScene(t, "cut hang")
		m.after = target.RetryingHead + 100
		r, err := p.Open(t.Context(), "long", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * target.Silence) // who reads may take time
		b, err := io.ReadAll(r)
		if len(b) != m.after || !errors.Is(err, target.ErrTimeout) {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		testkit.Must(t, r.Close())
	})
}

func readObject(ctx context.Context, p target.Target, name string, n int64) ([]byte, error) {
	r, err := p.Open(ctx, name, 0, n)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// lettered returns the last letters of what is lettered.
func lettered(p target.Target) (names string, err error) {
	for info, err := range p.List(context.Background(), "small/", "") {
		if err != nil {
			return names, err
		}
		names += info.Name[len("small/"):]
	}
	return names, nil
}
