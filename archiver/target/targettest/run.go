package targettest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/varve-db/varve/archiver/target"
)

// Run tests a target. Each test calls open once, for a target that is empty and
// that nobody else uses.
func Run(t *testing.T, open func(t *testing.T) target.Target) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// reporter is what the checks need of a testing.T, so that a test of the suite
// can let them fail.
type reporter interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

type check struct {
	name string
	run  func(t reporter, target target.Target)
}

// checks is the suite: a sentence of the contract each.
var checks = []check{
	{"what was put is read back", readBack},
	{"a range beyond the end is cut short", ranges},
	{"what is not there is ErrNotExist", notThere},
	{"names are kept apart", names},
	{"an object is put once", putOnce},
	{"of racers one wins", racers},
	{"content without the sum is refused", wrongSum},
	{"a source that is cut short is refused", shortSource},
	{"an object is whole if it is there", wholeIfThere},
	{"calls end with their context", contexts},
	{"a put ends early", endsEarly},
	{"what was deleted is gone", deletes},
	{"a list is in order and complete", lists},
	{"a list ends when no more is asked for", listEnds},
	{"a probe leaves nothing", probe},
	{"calls of several goroutines do not mix", concurrent},
}

// seed is that of all that is drawn.
const seed = 1

// content returns n bytes, different for each key.
func content(key uint64, n int) []byte {
	var s [32]byte
	s[0], s[1], s[2] = seed, byte(key), byte(key>>8)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(s).Read(b) // never fails
	return b
}

// tryPut puts b under name.
func tryPut(ctx context.Context, target target.Target, name string, b []byte) error {
	return target.Put(ctx, name, bytes.NewReader(b), int64(len(b)), sha256.Sum256(b))
}

// put puts b under name, which must succeed.
func put(t reporter, target target.Target, name string, b []byte) {
	t.Helper()
	if err := tryPut(t.Context(), target, name, b); err != nil {
		t.Fatalf("put %s, %d bytes: %v", name, len(b), err)
	}
}

// read returns what Open gives.
func read(ctx context.Context, target target.Target, name string, off, n int64) ([]byte, error) {
	r, err := target.Open(ctx, name, off, n)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// holds demands that an object is there, with content b, by every call.
func holds(t reporter, to target.Target, name string, b []byte) {
	t.Helper()
	got, err := read(t.Context(), to, name, 0, -1)
	if err != nil || !bytes.Equal(got, b) {
		t.Errorf("%s: read %d bytes, %v; want the %d that were put", name, len(got), err, len(b))
	}
	want := target.Info{Name: name, Size: int64(len(b)), SHA256: sha256.Sum256(b)}
	info, err := to.Sum(t.Context(), name)
	if err == nil {
		err = describes(info, want)
	}
	if err != nil || info.SHA256 != want.SHA256 {
		t.Errorf("%s: Sum: %+v, %v; want %+v", name, info, err, want)
	}
	info, err = to.Stat(t.Context(), name)
	if err == nil {
		err = describes(info, want)
	}
	if err != nil {
		t.Errorf("%s: Stat: %+v, %v; want %+v", name, info, err, want)
	}
}

// describes reports where an Info is wrong. A hash may be missing.
func describes(info, want target.Info) error {
	if info.Name != want.Name || info.Size != want.Size || info.SHA256 != [32]byte{} && info.SHA256 != want.SHA256 {
		return fmt.Errorf("it describes something else than %s", want.Name)
	}
	return nil
}

// lacks demands that no object is there, by every call.
func lacks(t reporter, to target.Target, name string) {
	t.Helper()
	_, err1 := to.Stat(t.Context(), name)
	_, err2 := to.Sum(t.Context(), name)
	_, err3 := read(t.Context(), to, name, 0, -1)
	for call, err := range map[string]error{"Stat": err1, "Sum": err2, "Open": err3} {
		if !errors.Is(err, target.ErrNotExist) {
			t.Errorf("%s: %s: %v, want ErrNotExist", name, call, err)
		}
	}
	for _, info := range list(t, to, name, "") {
		if info.Name == name {
			t.Errorf("%s is listed", name)
		}
	}
}

// list returns what List yields.
func list(t reporter, to target.Target, prefix, after string) []target.Info {
	t.Helper()
	var infos []target.Info
	for info, err := range to.List(t.Context(), prefix, after) {
		if err != nil {
			t.Fatalf("list %q after %q: %v", prefix, after, err)
		}
		infos = append(infos, info)
	}
	return infos
}
