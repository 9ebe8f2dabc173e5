package integrity

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/varve-db/varve/internal/vfs"
	"golang.org/x/sys/unix"
)

// TestPastThePageCacheTheSameIsFound verifies a segment with every sort of damage once past the
// page cache and once as it is: findings, records and bytes are the same, at a byte rate too.
func TestPastThePageCacheTheSameIsFound(t *testing.T) {
	whole := fill(t, 900, 6<<10)
	flipped := func(at int) []byte {
		b := bytes.Clone(whole)
		b[at] ^= 4
		return b
	}
	n := len(whole)
	var past vfs.Direct
	defer past.Close()
	for i, b := range [][]byte{
		whole, flipped(9), flipped(3000), flipped(1 << 20), flipped(n / 2), flipped(n - 60_000), flipped(n - 3000), flipped(n - 100),
		append(bytes.Clone(whole[:1<<20]), append(make([]byte, 1<<20), whole[2<<20:]...)...),
		whole[:n-1], append(bytes.Clone(whole), 0),
	} {
		f := cold(t, b)
		before := past.Bytes()
		o := VerifyOptions{File: "x.seg", past: &past}
		if i%2 == 1 {
			o.Limit = NewLimiter(1 << 40)
		}
		v, found, err := VerifySealed(t.Context(), f, int64(len(b)), o)
		if err != nil {
			t.Fatal(err)
		}
		read := past.Bytes() - before
		o.past = nil
		plainV, plain, err := VerifySealed(t.Context(), onlyAt{f}, int64(len(b)), o)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(found, plain) || !reflect.DeepEqual(v, plainV) {
			t.Errorf("%d: directly %+v %+v\nelse %+v %+v", i, v, found, plainV, plain)
		}
		if (i > 0) != (len(found) > 0) {
			t.Errorf("%d: %+v", i, found)
		}
		if i == 0 && read == 0 {
			t.Skip("there are no direct reads here, or the file stays in the page cache")
		}
		if i == 0 && read != int64(n) {
			t.Errorf("%d bytes of %d were read past the page cache", read, n)
		}
	}
}

// TestAFileThatEndsWhileItIsReadDirectly is as one that does under any read.
func TestAFileThatEndsWhileItIsReadDirectly(t *testing.T) {
	b := fill(t, 900, 6<<10)
	f := cold(t, b)
	cutOff := false
	o := VerifyOptions{File: "x.seg"}
	o.Progress = func(int64) {
		if !cutOff {
			cutOff = os.Truncate(f.Name(), 3<<20) == nil
		}
	}
	_, found, err := VerifySealed(t.Context(), f, int64(len(b)), o)
	if err != nil || len(found) == 0 || !cutOff {
		t.Errorf("%+v, %v", found, err)
	}
	for _, x := range found {
		if x.Kind != Unreadable {
			t.Errorf("%+v", x)
		}
	}
}

// onlyAt hides that what it reads is a file.
type onlyAt struct{ io.ReaderAt }

// cold returns a file that holds b, open, and dropped from the page cache.
func cold(t *testing.T, b []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), fmt.Sprint(len(b)))
	f, err := os.Create(path)
	if err == nil {
		t.Cleanup(func() { f.Close() })
		_, err = f.Write(b)
	}
	if err == nil {
		err = errors.Join(unix.Fdatasync(int(f.Fd())), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}
