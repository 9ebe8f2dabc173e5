package crashfs

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/varve-db/varve/internal/vfs"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t testing.TB, fsys vfs.FS, name string) vfs.File {
	t.Helper()
	f, err := fsys.Create(name)
	must(t, err)
	return f
}

func write1(t testing.TB, f vfs.File, off int64, p []byte) {
	t.Helper()
	_, err := f.WriteAt(p, off)
	must(t, err)
}

// durable makes a file of which all is durable.
func durable(t testing.TB, fsys vfs.FS, name string, p []byte) vfs.File {
	t.Helper()
	f := create(t, fsys, name)
	write1(t, f, 0, p)
	must(t, f.Sync())
	must(t, fsys.SyncDir("."))
	return f
}

func fill(c byte, n int) []byte { return bytes.Repeat([]byte{c}, n) }

// each calls fn for many crash states of every kind.
func each(fsys *FS, seeds uint64, fn func(s State, c *FS)) {
	for _, kind := range Kinds {
		for seed := range seeds {
			fn(State{kind, seed}, fsys.Crash(seed, kind))
		}
	}
}

// tail is a file with 1000 durable bytes and two unsynced writes behind them.
func tail(t *testing.T) *FS {
	fsys := New()
	must(t, durable(t, fsys, "dead", append(fill('x', 4096), fill('y', 4096)...)).Close())
	must(t, fsys.Remove("dead"))
	must(t, fsys.SyncDir("."))
	f := durable(t, fsys, "a", fill('d', 1000))
	write1(t, f, 1000, fill('1', 2000))
	write1(t, f, 3000, fill('2', 2000))
	return fsys
}

func TestEachKindOfDataYieldsWhatItSays(t *testing.T) {
	all := string(fill('d', 1000)) + string(fill('1', 2000)) + string(fill('2', 2000))
	checks := map[DataKind]func(s string) bool{
		DataNone:        func(s string) bool { return len(s) == 1000 },
		DataAll:         func(s string) bool { return s == all },
		DataPrefix:      func(s string) bool { n := len(s); return n == 1000 || n == 3000 || n == 5000 },
		DataTornByte:    func(s string) bool { return strings.HasPrefix(all, s) },
		DataTornSector:  func(s string) bool { n := len(s); return n%512 == 0 || n == 1000 || n == 3000 },
		DataSectors:     func(s string) bool { return len(s) <= 5000 && !strings.ContainsAny(s, "xy") },
		DataZeroed:      func(s string) bool { return len(s) == 5000 && strings.Trim(s, "d12\x00") == "" },
		DataGarbled:     func(s string) bool { return len(s) == 5000 },
		DataStale:       func(s string) bool { return len(s) == 5000 && strings.Trim(s, "d12xy\x00") == "" },
		DataSizeZeros:   func(s string) bool { return s[1000:] == string(make([]byte, 4000)) },
		DataSizeGarbage: func(s string) bool { return len(s) == 5000 && !strings.Contains(s, "1111") },
		DataSizeStale:   func(s string) bool { return len(s) == 5000 && !strings.ContainsAny(s, "12") },
		DataMixed:       func(s string) bool { return len(s) <= 5000 },
	}
	fsys := tail(t)
	distinct := map[DataKind]map[string]bool{}
	each(fsys, 50, func(s State, c *FS) {
		got := string(c.Bytes("a"))
		if !strings.HasPrefix(got, all[:1000]) {
			t.Errorf("%v: synced bytes died", s)
		} else if !checks[s.Kind.Data](got) {
			t.Errorf("%v: %d bytes: %.1200q", s, len(got), got[1000:])
		}
		if distinct[s.Kind.Data] == nil {
			distinct[s.Kind.Data] = map[string]bool{}
		}
		distinct[s.Kind.Data][got] = true
	})
	for kind := range DataMixed + 1 {
		if n := len(distinct[kind]); (n == 1) != (Kind{kind, NamesNone}).fixed() {
			t.Errorf("%v: %d different states", kind, n)
		}
	}
	if !strings.ContainsAny(string(fsys.Crash(1, Kind{DataSizeStale, NamesNone}).Bytes("a")), "xy") {
		t.Error("no stale block showed up")
	}
}

func TestSyncedBytesNeverDie(t *testing.T) {
	fsys := New()
	f := durable(t, fsys, "a", fill('1', 700))
	write1(t, f, 300, fill('2', 900)) // over the synced ones, and beyond
	must(t, f.Sync())
	write1(t, f, 1500, fill('3', 100)) // behind a gap
	want := fsys.Bytes("a")[:1200]
	each(fsys, 20, func(s State, c *FS) {
		if got := c.Bytes("a"); len(got) < 1200 || !bytes.Equal(got[:1200], want) {
			t.Errorf("%v: %d bytes", s, len(got))
		}
	})
}

func TestAnOverwriteIsOldOrNewPerSector(t *testing.T) {
	fsys := New()
	f := durable(t, fsys, "a", fill('o', 4096))
	write1(t, f, 5000, fill('n', 10)) // the first write does not touch what is durable
	write1(t, f, 0, fill('n', 4096))
	each(fsys, 20, func(s State, c *FS) {
		got := c.Bytes("a")
		if len(got) < 4096 || strings.Trim(string(got[:4096]), "on") != "" {
			t.Errorf("%v: %q", s, got)
		}
	})
	if got := fsys.Crash(0, Kind{DataNone, NamesNone}).Bytes("a"); !bytes.Equal(got, fill('o', 4096)) {
		t.Error("drawing states changed the durable bytes")
	}
}

func TestNamesDieWithoutSyncDir(t *testing.T) {
	fsys := New()
	f := create(t, fsys, "a")
	write1(t, f, 0, []byte("synced"))
	must(t, f.Sync())
	if names := fsys.Crash(0, Kind{DataAll, NamesNone}).Names(); names != nil {
		t.Errorf("kept %q", names)
	}
	must(t, fsys.SyncDir("."))
	must(t, fsys.Remove("a"))
	if got := fsys.Crash(0, Kind{DataNone, NamesNone}).Bytes("a"); string(got) != "synced" {
		t.Errorf("a removal that was not synced: %q", got)
	}
	if names := fsys.Crash(0, Kind{DataNone, NamesAll}).Names(); names != nil {
		t.Errorf("a removal that was kept: %q", names)
	}
}

func TestARenameIsWholeAndMakesNoByteDurable(t *testing.T) {
	fsys := New()
	must(t, durable(t, fsys, "b", []byte("old")).Close())
	f := durable(t, fsys, "a", nil)
	write1(t, f, 0, []byte("new"))
	must(t, fsys.Rename("a", "b"))
	must(t, fsys.Rename("b", "c"))
	seen := map[string]bool{}
	each(fsys, 30, func(s State, c *FS) {
		seen[fmt.Sprint(c.Names())] = true
	})
	want := map[string]bool{"[a b]": true, "[b]": true, "[c]": true}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("saw %v", seen)
	}
	if got := fsys.Crash(0, Kind{DataNone, NamesAll}).Bytes("c"); got == nil || len(got) != 0 {
		t.Errorf("the renamed file holds %q", got)
	}
}

func TestNamesAreLostByThemselves(t *testing.T) {
	fsys := New()
	for _, name := range []string{"a", "b", "c"} {
		create(t, fsys, name)
	}
	count := func(kind NameKind) int {
		seen := map[string]bool{}
		for seed := range uint64(100) {
			seen[fmt.Sprint(fsys.Crash(seed, Kind{DataNone, kind}).Names())] = true
		}
		return len(seen)
	}
	for kind, want := range []int{1, 1, 4, 8} {
		if got := count(NameKind(kind)); got != want {
			t.Errorf("%v: %d states, want %d", NameKind(kind), got, want)
		}
	}
}

func TestFolders(t *testing.T) {
	fsys := New()
	must(t, fsys.Mkdir("d"))
	f := create(t, fsys, "d/x")
	write1(t, f, 0, []byte("x"))
	must(t, f.Sync())
	must(t, fsys.SyncDir("d"))
	if names := fsys.Crash(0, Kind{DataAll, NamesNone}).Names(); names != nil {
		t.Errorf("the folder's own name was not synced, and %q is there", names)
	}
	must(t, fsys.SyncDir("."))
	must(t, fsys.Rename("d/x", "x"))
	must(t, fsys.SyncDir("."))
	if names := fsys.Crash(0, Kind{DataAll, NamesNone}).Names(); !slices.Equal(names, []string{"d/x"}) {
		t.Errorf("one of two folders synced: %q", names)
	}
	must(t, fsys.SyncDir("d"))
	each(fsys, 5, func(s State, c *FS) {
		if names := c.Names(); !slices.Equal(names, []string{"x"}) {
			t.Errorf("%v: %q", s, names)
		}
	})
	must(t, fsys.Remove("d"))
	if _, err := fsys.Create("d/y"); err == nil {
		t.Error("a file in a folder that is gone")
	}
}

func TestAFailedSyncLosesForGood(t *testing.T) {
	fsys := New()
	f := durable(t, fsys, "a", []byte("one."))
	write1(t, f, 4, []byte("two."))
	fsys.Fail(FailNth(1, syscall.EIO, true, OpSync))
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	must(t, f.Sync())
	if got := string(fsys.Bytes("a")); got != "one.two." {
		t.Errorf("reads give %q", got)
	}
	for s, c := range fsys.States(1) {
		if got := string(c.Bytes("a")); got != "one." {
			t.Errorf("%v: %q", s, got)
		}
	}
	write1(t, f, 8, []byte("three."))
	must(t, f.Sync())
	if got := string(fsys.Crash(0, Kind{}).Bytes("a")); got != "one.\x00\x00\x00\x00three." {
		t.Errorf("written behind what was lost: %q", got)
	}
	write1(t, f, 4, []byte("two."))
	must(t, f.Sync())
	if got := string(fsys.Crash(0, Kind{}).Bytes("a")); got != "one.two.three." {
		t.Errorf("written again: %q", got)
	}
}

func TestModesAreDurableWithTheNextSync(t *testing.T) {
	fsys := New()
	f := durable(t, fsys, "a", nil)
	must(t, f.Chmod(0o400))
	mode := func(kind NameKind) string {
		info, err := fsys.Crash(0, Kind{DataNone, kind}).Stat("a")
		must(t, err)
		return info.Mode().String()
	}
	if none, all := mode(NamesNone), mode(NamesAll); none != "-rw-------" || all != "-r--------" {
		t.Errorf("none %v, all %v", none, all)
	}
	must(t, fsys.SyncDir("."))
	if none := mode(NamesNone); none != "-r--------" {
		t.Errorf("after SyncDir %v", none)
	}
	if _, err := fsys.OpenWrite("a"); !errors.Is(err, syscall.EACCES) {
		t.Errorf("opened for writing: %v", err)
	}
}

func TestSameSeedSameStates(t *testing.T) {
	list := func(seed uint64) (s string) {
		for state, c := range tail(t).States(seed) {
			s += fmt.Sprintf("%v %x\n", state, c.Bytes("a"))
		}
		return s
	}
	first, again := list(7), list(7)
	if first != again {
		t.Error("the same seed gives other states")
	}
	if first == list(8) {
		t.Error("another seed gives the same states")
	}
}

func TestStatesDiffer(t *testing.T) {
	seen := map[string]State{}
	for s, c := range tail(t).States(1) {
		b := string(c.Bytes("a"))
		if was, ok := seen[b]; ok {
			t.Errorf("%v is the same as %v", s, was)
		}
		seen[b] = s
	}
	if len(seen) < 15 {
		t.Errorf("only %d states", len(seen))
	}
	fsys := New()
	durable(t, fsys, "a", []byte("x"))
	n := 0
	for range fsys.States(1) {
		n++
	}
	if n != 1 {
		t.Errorf("%d states of a disk on which all is durable", n)
	}
}

func TestACrashOfACrash(t *testing.T) {
	fsys := tail(t).Crash(3, Kind{DataTornByte, NamesAll})
	before := fsys.Bytes("a")
	f, err := fsys.OpenWrite("a")
	must(t, err)
	write1(t, f, int64(len(before)), []byte("more"))
	fsys.CutAt(2)
	if err := f.Sync(); !errors.Is(err, ErrPowerCut) {
		t.Errorf("the sync that was cut: %v", err)
	}
	if got := fsys.Crash(0, Kind{DataNone, NamesNone}).Bytes("a"); !bytes.Equal(got, before) {
		t.Error("what a crash left is not durable")
	}
	if got := fsys.Crash(0, Kind{DataAll, NamesNone}).Bytes("a"); len(got) != len(before)+4 {
		t.Errorf("%d bytes", len(got))
	}
}

func BenchmarkStates(b *testing.B) {
	fsys := New()
	for i := range 20 {
		durable(b, fsys, fmt.Sprint(i), fill('x', 64<<10))
	}
	f := create(b, fsys, "new")
	for i := range int64(10) {
		write1(b, f, i*1000, fill('y', 1000))
	}
	states := 0
	for b.Loop() {
		for range fsys.States(1) {
			states++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(states), "ns/state")
}
