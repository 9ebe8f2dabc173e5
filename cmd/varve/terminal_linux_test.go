package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/varve-db/varve/cmd/varve/internal/terminal"
	"golang.org/x/sys/unix"
)

// readLimit is how long a test waits for what a terminal shows.
const readLimit = 20 * time.Second

// openTerminal opens a terminal of some columns: what is written to tty is read from user.
func openTerminal(t *testing.T, columns uint16) (user, tty *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { user.Close() })
	// A read of what never comes fails. File.Fd would take that away: it makes the file one that
	// blocks.
	if err := user.SetReadDeadline(time.Now().Add(readLimit)); err != nil {
		t.Fatal(err)
	}
	conn, err := user.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	var opened, sized error
	err = conn.Control(func(fd uintptr) {
		if opened = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); opened == nil {
			n, opened = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
		sized = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	})
	if err := errors.Join(err, opened); err != nil {
		t.Skip(err)
	}
	if sized != nil {
		t.Fatal(sized)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { tty.Close() })
	return user, tty
}

// TestGetOnATerminal wants JSON there, and bytes where they are asked for or where no terminal is.
func TestGetOnATerminal(t *testing.T) {
	user, tty := openTerminal(t, 80)
	if terminal.Columns(tty) != 80 {
		t.Errorf("%d columns", terminal.Columns(tty))
	}
	dir := t.TempDir()
	s, in, piped := filepath.Join(dir, "s"), filepath.Join(dir, "in"), filepath.Join(dir, "piped")
	if err := os.WriteFile(in, []byte(`{"id":"k","n":1.5}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(piped)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if code := inProcess(t, out, "-d", s, "load", "--key", "id", in) | inProcess(t, out, "-d", s, "put", "raw", "text"); code != 0 {
		t.Fatal(code)
	}
	const packed = "\x82\xa2id\xa1k\xa1n\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"k"}, "{\"id\":\"k\",\"n\":1.5}\r\n"},
		{[]string{"k", "--raw"}, packed},
		{[]string{"raw"}, "text"},
	} {
		if code := inProcess(t, tty, append([]string{"-d", s, "get"}, c.args...)...); code != 0 {
			t.Errorf("get %q: exit code %d", c.args, code)
		}
		got := make([]byte, len(c.want))
		if n, err := io.ReadFull(user, got); err != nil || string(got) != c.want {
			t.Fatalf("get %q on a terminal: %q, %v; want %q", c.args, got[:n], err, c.want)
		}
	}
	from, err := out.Seek(0, io.SeekCurrent)
	if err != nil {
		t.Fatal(err)
	}
	code := inProcess(t, out, "-d", s, "get", "k")
	b, err := os.ReadFile(piped)
	if err != nil || code != 0 || string(b[from:]) != packed {
		t.Errorf("piped: %q, %v, exit code %d", b[from:], err, code)
	}
}
