package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// nobody is the plain user as which root's tests run what must not be root.
const nobody = 65534

// noError ends a helper program.
func noError(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// asUser is the program "asuser PROGRAM args...": it runs it as a plain user.
func asUser() {
	path, err := exec.LookPath(os.Args[1])
	noError(err)
	if os.Getuid() == 0 {
		noError(syscall.Setgroups(nil))
		noError(syscall.Setgid(nobody))
		noError(syscall.Setuid(nobody))
	}
	noError(syscall.Exec(path, os.Args[1:], os.Environ()))
}

// hold is the program "hold STORE READY": it holds the store open for writing,
// puts the object held, makes the file READY, and waits for its end.
func hold() {
	db, err := store.Open(os.Args[1], nil)
	noError(err)
	noError(db.Put([]byte("held"), []byte("by a writer")))
	time.Sleep(100 * time.Millisecond) // until readers can see it
	noError(os.WriteFile(os.Args[2], nil, 0o600))
	_, _ = io.Copy(io.Discard, os.Stdin)
	time.Sleep(time.Minute)
}

// oddTree is the program "oddtree DIR": it makes a tree of what is odd in trees.
func oddTree() {
	dir := os.Args[1]
	at := func(name string) string { return dir + "/" + name }
	for _, d := range []string{"", "empty", "deep/er/and/deeper", "closed", "sticky", "bad\xffdir", "a", "new\nline"} {
		noError(os.MkdirAll(at(d), 0o755))
	}
	files := map[string]string{
		"plain": "content\n", "none": "", "bin": "\x00\xff\r\n", "deep/er/and/deeper/f": "deep", "a-b": "sorts before a/",
		"a/x": "in a", "closed/inside": "kept", "with space": "s", "quote\"d": "q", "new\nline/tab\t": "n",
		"bad\xffname": "not UTF-8", "bad\xffdir/\xfe": "neither", "-dash": "-", "ünï": "NFC", "u\u0308": "NFD", "script": "#!", "setuid": "s",
	}
	for name, content := range files {
		noError(os.WriteFile(at(name), []byte(content), 0o644))
		t := time.Unix(1e9+int64(len(name)), 123456789)
		noError(os.Chtimes(at(name), t, t))
	}
	noError(os.Chmod(at("script"), 0o755))
	noError(os.Chmod(at("setuid"), 0o755|fs.ModeSetuid))
	noError(os.Chmod(at("bin"), 0o400))
	noError(os.Symlink("plain", at("link")))
	noError(os.Symlink("/nowhere/at/all", at("dangling")))
	noError(os.Symlink("deep", at("linkdir")))
	noError(os.Symlink("no\xffutf8", at("oddlink")))
	noError(os.Symlink("../..", at("deep/up")))
	old := time.Unix(-1e9, 1)
	noError(os.Chtimes(at("none"), old, old))
	noError(os.Chmod(at("sticky"), 0o777|fs.ModeSticky))
	for i, d := range []string{"empty", "deep/er", "closed", "sticky", ""} {
		t := time.Unix(1.1e9+int64(i), 5)
		noError(os.Chtimes(at(d), t, t))
	}
	noError(os.Chmod(at("closed"), 0o500))
	noError(os.Chmod(at(""), 0o750))
}

// listTree is the program "listtree DIR": it prints path, mode, time, target
// and content of each entry.
func listTree() {
	dir := os.Args[1]
	noError(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		var what []byte
		switch {
		case info.Mode().IsRegular():
			what, err = os.ReadFile(path)
		case info.Mode()&fs.ModeSymlink != 0:
			var link string
			link, err = os.Readlink(path)
			what = []byte(link)
		}
		fmt.Printf("%q %v %d %q\n", path[len(dir):], info.Mode(), info.ModTime().UnixNano(), what)
		return err
	}))
}

// foreign is the program "foreign STORE": it puts objects that no command makes:
// msgpack that JSON does not say exactly, and meta of all kinds.
func foreign() {
	db, err := store.Open(os.Args[1], nil)
	noError(err)
	for _, o := range []store.Object{
		{Key: []byte("float32"), Content: store.Msgpack, Value: []byte("\x81\xa1f\xca\x3f\x80\x00\x00")},
		{Key: []byte("bin"), Content: store.Msgpack, Value: []byte("\x81\xa1b\xc4\x01\xff")},
		{Key: []byte("broken"), Content: store.Msgpack, Value: []byte("\xdf\xff\xff\xff\xff")},
		{Key: []byte("long"), Content: store.Msgpack, Value: []byte("\x81\xa1i\xd3\x00\x00\x00\x00\x00\x00\x00\x01")},
		{Key: []byte("metamap"), Value: []byte("v"), Meta: []byte("\x81\xa1m\x01")},
		{Key: []byte("metanil"), Value: []byte("v"), Meta: []byte("\xc0")},
		{Key: []byte("metajunk"), Content: store.Msgpack, Value: []byte("\x81\xa1i\x01"), Meta: []byte("junk")},
		{Key: []byte("\xffkey"), Value: []byte("\xfe")},
		{Key: []byte("liar"), Content: store.Msgpack, Value: []byte("\x82\xa7key_b64\xa4liar\xa9value_b64\xa0")},
		{Key: []byte("array"), Content: store.Msgpack, Value: []byte("\x92\x01\x02")},
	} {
		noError(db.PutObject(o))
	}
	noError(db.Close())
}

// waitForCmd is "waitfor FILE [REGEXP]": it waits until the file is there and, if
// asked, says so. The name may be a pattern.
func waitForCmd(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(strings.Join(args[1:], " "))
	for limit := time.Now().Add(2 * time.Minute); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		found, err := filepath.Glob(ts.MkAbs(args[0]))
		ts.Check(err)
		for _, name := range found {
			if len(args) == 1 {
				return
			}
			if b, err := os.ReadFile(name); err == nil && want.Match(b) {
				return
			}
		}
	}
	ts.Fatalf("%s does not come", strings.Join(args, " "))
}

// signalCmd is "signal N": it sends the signal to the programs in the background.
func signalCmd(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(syscall.Signal(n)))
	}
}

// ahead is the program "ahead STORE": it makes a store of six objects, of which the first
// three were committed in the last minutes, and the others in a year, by a clock that ran ahead.
func ahead() {
	now := time.Now().UnixNano()
	h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: segment.UUID{7}, Ref: segment.Ref{Timeline: 7, ID: 1}, FirstSeq: 1, Time: now - 6e11, NextID: 2}}
	b := h.Append(nil)
	for i := range int64(6) {
		at := now - 6e11 + 6e10*i
		if i >= 3 {
			at = now + 365*24*int64(time.Hour) + i
		}
		b = h.ChecksumSeed().AppendRecord(b, int64(len(b)), &segment.Record{Kind: segment.Put, Flags: segment.FlagCommit | segment.FlagVouch,
			Key: fmt.Append(nil, "key", i+1), Value: []byte("v"), ValueSize: 1, Seq: uint64(i) + 1, Time: at, Vouch: int64(len(b))})
	}
	noError(os.Mkdir(os.Args[1], 0o700))
	noError(os.WriteFile(filepath.Join(os.Args[1], "00000000000000000001.open"), b, 0o600))
}
