package targettest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"iter"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/target"
)

func TestSoundTargetPasses(t *testing.T) {
	Run(t, func(*testing.T) target.Target { return newMemory("") })
}

// TestBrokenTargetsAreCaught is the test of the suite: each bug is found by
// the check that is named.
func TestBrokenTargetsAreCaught(t *testing.T) {
	for bug, name := range map[string]string{
		"put replaces":                   "an object is put once",
		"two winners":                    "of racers one wins",
		"loser is told nothing":          "an object is put once",
		"sum is not compared":            "content without the sum is refused",
		"refused content stays":          "content without the sum is refused",
		"short source is stored":         "a source that is cut short is refused",
		"visible while put":              "an object is whole if it is there",
		"put goes on when cancelled":     "a put ends early",
		"stat knows no context":          "calls end with their context",
		"list knows no context":          "calls end with their context",
		"range ignored":                  "a range beyond the end is cut short",
		"range beyond the end fails":     "a range beyond the end is cut short",
		"absent is another error":        "what is not there is ErrNotExist",
		"delete of nothing fails":        "what is not there is ErrNotExist",
		"delete takes the prefix":        "what was deleted is gone",
		"delete does nothing":            "what was deleted is gone",
		"upper and lower case are alike": "names are kept apart",
		"list in order of parts":         "a list is in order and complete",
		"list of 1000":                   "a list is in order and complete",
		"after is included":              "a list is in order and complete",
		"prefix is a folder":             "a list is in order and complete",
		"list goes on":                   "a list ends when no more is asked for",
		"probe leaves an object":         "a probe leaves nothing",
		"sum is not that of the content": "what was put is read back",
		"last byte lost":                 "what was put is read back",
		"puts mix":                       "calls of several goroutines do not mix",
	} {
		t.Run(bug, func(t *testing.T) {
			i := slices.IndexFunc(checks, func(c check) bool { return c.name == name })
			if i < 0 {
				t.Fatalf("there is no check %q", name)
			}
			r := &recorder{ctx: t.Context()}
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() {
					if recover() != nil { // of a loop that was not ended
						r.Errorf("panic")
					}
				}()
				checks[i].run(r, newMemory(bug))
			}()
			<-done
			if !r.failed() {
				t.Errorf("%q lets it pass", name)
			}
		})
	}
}

// recorder is a reporter that only takes note.
type recorder struct {
	ctx context.Context
	mu  sync.Mutex
	bad bool
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Errorf(string, ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bad = true
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bad
}

// memory is a target in memory, with the bug that is named.
type memory struct {
	bug     string
	mu      sync.Mutex // guards objects
	objects map[string][]byte
	shared  []byte // of the puts that mix
}

func newMemory(bug string) *memory { return &memory{bug: bug, objects: map[string][]byte{}} }

func (m *memory) URL() string { return "memory:" }

func (m *memory) key(name string) string {
	if m.bug == "upper and lower case are alike" {
		return strings.ToLower(strings.TrimSuffix(name, "-upper"))
	}
	return name
}

func (m *memory) get(ctx context.Context, name string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.objects[m.key(name)]
	switch {
	case !ok && m.bug == "absent is another error":
		return nil, errors.New("no such key")
	case !ok:
		return nil, target.ErrNotExist
	}
	return b, nil
}

func (m *memory) exists(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.objects[m.key(name)] != nil
}

func (m *memory) set(name string, b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[m.key(name)] = append([]byte{}, b...)
}

func (m *memory) Put(ctx context.Context, name string, r io.ReaderAt, size int64, sum [32]byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	exists := m.exists(name)
	switch {
	case exists && m.bug == "loser is told nothing":
		return nil
	case exists && m.bug != "put replaces":
		return target.ErrExists
	case m.bug == "visible while put":
		m.set(name, nil)
	case m.bug == "two winners":
		time.Sleep(time.Millisecond)
	}
	b, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if m.bug == "puts mix" {
		m.mu.Lock()
		m.shared = append(m.shared[:0], b...)
		m.mu.Unlock()
		time.Sleep(time.Millisecond)
		m.mu.Lock()
		b = slices.Clone(m.shared)
		m.mu.Unlock()
	}
	if err == nil && m.bug != "put goes on when cancelled" {
		err = ctx.Err()
	}
	if int64(len(b)) < size && m.bug != "short source is stored" {
		err = cmp.Or(err, io.ErrUnexpectedEOF)
	}
	if sha256.Sum256(b) != sum && m.bug != "sum is not compared" && m.bug != "short source is stored" && m.bug != "puts mix" {
		if m.bug == "refused content stays" {
			m.set(name, b)
		}
		err = cmp.Or(err, errors.New("wrong sum"))
	}
	if err != nil {
		return err
	}
	return m.store(name, b)
}

func (m *memory) store(name string, b []byte) error {
	if m.bug == "last byte lost" && len(b) > 0 {
		b = b[:len(b)-1]
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.objects[m.key(name)] != nil && m.bug != "two winners" && m.bug != "put replaces" && m.bug != "visible while put" {
		return target.ErrExists
	}
	m.objects[m.key(name)] = append([]byte{}, b...)
	return nil
}

func (m *memory) Stat(ctx context.Context, name string) (target.Info, error) {
	if m.bug == "stat knows no context" {
		ctx = context.Background()
	}
	b, err := m.get(ctx, name)
	if err != nil {
		return target.Info{}, err
	}
	return target.Info{Name: name, Size: int64(len(b))}, nil
}

func (m *memory) Sum(ctx context.Context, name string) (target.Info, error) {
	b, err := m.get(ctx, name)
	if err != nil {
		return target.Info{}, err
	}
	info := target.Info{Name: name, Size: int64(len(b)), SHA256: sha256.Sum256(b)}
	if m.bug == "sum is not that of the content" {
		info.SHA256 = sha256.Sum256([]byte(name))
	}
	return info, nil
}

func (m *memory) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	b, err := m.get(ctx, name)
	if err != nil {
		return nil, err
	}
	switch {
	case off < 0:
		return nil, errors.New("negative offset")
	case m.bug == "range ignored":
		off, n = 0, -1
	case m.bug == "range beyond the end fails" && off > int64(len(b)):
		return nil, errors.New("416")
	}
	if n < 0 || n > math.MaxInt64-off {
		n = math.MaxInt64 - off
	}
	return io.NopCloser(io.NewSectionReader(bytes.NewReader(b), off, n)), nil
}

func (m *memory) List(ctx context.Context, prefix, after string) iter.Seq2[target.Info, error] {
	return func(yield func(target.Info, error) bool) {
		if err := ctx.Err(); err != nil && m.bug != "list knows no context" {
			yield(target.Info{}, err)
			return
		}
		m.mu.Lock()
		names := slices.Sorted(maps.Keys(m.objects))
		m.mu.Unlock()
		if m.bug == "list in order of parts" {
			slices.SortFunc(names, func(a, b string) int { return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")) })
		}
		n := 0
		for _, name := range names {
			in := strings.HasPrefix(name, prefix)
			if m.bug == "prefix is a folder" {
				in = in && (prefix == "" || strings.HasPrefix(name, strings.TrimSuffix(prefix, "/")+"/"))
			}
			if !in || name < after || name == after && m.bug != "after is included" {
				continue
			}
			b, err := m.get(context.Background(), name)
			if err != nil {
				continue
			}
			if n++; n > 1000 && m.bug == "list of 1000" {
				return
			}
			if !yield(target.Info{Name: name, Size: int64(len(b))}, nil) && m.bug != "list goes on" {
				return
			}
		}
	}
}

func (m *memory) Delete(ctx context.Context, name string) error {
	_, err := m.get(ctx, name)
	switch {
	case errors.Is(err, target.ErrNotExist) && m.bug != "delete of nothing fails":
		return nil
	case err != nil:
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch m.bug {
	case "delete does nothing":
	case "delete takes the prefix":
		maps.DeleteFunc(m.objects, func(k string, _ []byte) bool { return strings.HasPrefix(k, name) })
	default:
		delete(m.objects, m.key(name))
	}
	return nil
}

func (m *memory) Probe(ctx context.Context) error {
	if m.bug == "probe leaves an object" {
		m.set("probe", nil)
	}
	return ctx.Err()
}
