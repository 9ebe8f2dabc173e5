package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// peak is the program "peak FILE args...": it is varve with args, and writes to FILE how many
// KiB of memory it held at most. What the system tells of a child that has ended counts its
// parent's memory, too.
func peak() {
	code := run(os.Args[2:])
	noError(os.WriteFile(os.Args[1], fmt.Append(nil, highWater()), 0o600))
	os.Exit(code)
}

// highWater returns the most memory that this process held, in KiB, or 0 if that is not told.
func highWater() (kib int) {
	b, _ := os.ReadFile("/proc/self/status")
	if _, rest, ok := strings.Cut(string(b), "VmHWM:"); ok {
		_, _ = fmt.Sscan(rest, &kib)
	}
	return kib
}

// TestPeakOfLargeObjects measures whole processes: an object is held once as it is stored, and
// at most once more as it was read or is written.
func TestPeakOfLargeObjects(t *testing.T) {
	if highWater() == 0 {
		t.Skip("the system does not tell how much memory a process held")
	}
	const size = 64 << 20
	const program = 0.55 // of size: the program itself, its buffers
	dir := t.TempDir()
	value, dumped, told := filepath.Join(dir, "value"), filepath.Join(dir, "dumped"), filepath.Join(dir, "told")
	f, err := os.Create(value)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{1}), size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		copies  float64
		in, out string
		args    []string
	}{
		{2, value, os.DevNull, []string{"-d", filepath.Join(dir, "s"), "put", "k"}},
		{2, os.DevNull, dumped, []string{"-d", filepath.Join(dir, "s"), "dump"}},
		{2.8, dumped, os.DevNull, []string{"-d", filepath.Join(dir, "loaded"), "load", "-"}}, // its text is base64, and grows by steps
	} {
		in, err := os.Open(c.in)
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.OpenFile(c.out, os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("peak", append([]string{told}, c.args...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = struct{ io.Reader }{in}, out, os.Stderr // a pipe
		if err := cmd.Run(); err != nil {
			t.Fatalf("%q: %v", c.args, err)
		}
		in.Close()
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(told)
		if err != nil {
			t.Fatal(err)
		}
		kib := 0
		if _, err := fmt.Sscan(string(b), &kib); err != nil {
			t.Fatal(err)
		}
		held := float64(kib<<10) / size
		t.Logf("%q: %.2f times the object", c.args[2:], held)
		if most := c.copies + program; held > most {
			t.Errorf("%q of %d bytes held %.2f times as much, want at most %.2f", c.args[2:], size, held, most)
		}
	}
}
