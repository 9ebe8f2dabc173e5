package receipt_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/receipt/receipttest"
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

func TestReceiptIsReadBack(t *testing.T) {
	for name, fsys := range map[string]vfs.FS{"os": vfs.Dir(filepath.Join(t.TempDir(), "receipts")), "crashfs": crashfs.New()} {
		t.Run(name, func(t *testing.T) {
			r := receipttest.OpenReceipts(t, fsys)
			ref := segment.Ref{Timeline: 0xabc, ID: 41}
			if _, ok, err := r.Get(receipttest.TargetA, ref); ok || err != nil {
				t.Fatalf("before: %v, %v", ok, err)
			}
			want := receipttest.ReceiptFor(receipttest.TargetA, ref)
			testkit.Must(t, r.Write(want))
			want.Format = 1
			if got, ok, err := r.Get(receipttest.TargetA, ref); !ok || err != nil || got != want {
				t.Errorf("got %+v, %v, %v", got, ok, err)
			}
			for target, want := range map[string]bool{receipttest.TargetA: true, receipttest.TargetB: false} {
				if ok, err := r.Has(target, ref); ok != want || err != nil {
					t.Errorf("%s: %v, %v", target, ok, err)
				}
			}
			list, err := fsys.ReadDir(receipttest.TargetA)
			if err != nil || len(list) != 1 || list[0].Name() != "00000000000000000041-0000000000000abc.json" {
				t.Errorf("the folder holds %v, %v", list, err)
			}
		})
	}
}

// The file is for people too, and its format is fixed.
func TestReceiptFile(t *testing.T) {
	disk := crashfs.New()
	ref := segment.Ref{Timeline: 0xabc, ID: 41}
	testkit.Must(t, receipttest.OpenReceipts(t, disk).Write(receipttest.ReceiptFor(receipttest.TargetA, ref)))
	name := receipttest.Name(receipttest.TargetA, ref)
	const want = `{
  "format": 1,
  "target": "000102030405060708090a0b0c0d0e0f",
  "url": "file:///mnt/a",
  "store": "01020300-0000-0000-0000-000000000000",
  "segment": "0000000000000abc/00000000000000000041",
  "kind": "log",
  "object": "01020300-0000-0000-0000-000000000000/0000000000000abc/00000000000000000041.seg",
  "size": 4096,
  "sha256": "ab000000000000000000000000000000000000000000000000000000000000cd",
  "shipped": "2026-11-20T16:40:06.000000007Z",
  "first_seq": 1,
  "last_seq": 12,
  "first_time": 1000000000000000000,
  "last_time": 1000000000000000005,
  "puts": 10,
  "deletes": 2,
  "check": "7e4b89ca"
}
`
	if got := string(disk.Bytes(name)); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestReceiptIsWrittenOnce(t *testing.T) {
	disk := crashfs.New()
	r := receipttest.OpenReceipts(t, disk)
	first := receipttest.ReceiptFor(receipttest.TargetA, segment.Ref{Timeline: 1, ID: 1})
	testkit.Must(t, r.Write(first))
	again := first
	again.Shipped, again.URL = first.Shipped.Add(time.Hour), "file:///mnt/other-name"
	testkit.Must(t, r.Write(again))
	if got, _, _ := r.Get(receipttest.TargetA, first.Segment); !got.Shipped.Equal(first.Shipped) || got.URL != first.URL {
		t.Errorf("the first receipt was replaced: %+v", got)
	}
	for what, change := range map[string]func(*receipt.Receipt){
		"size":   func(r *receipt.Receipt) { r.Size++ },
		"hash":   func(r *receipt.Receipt) { r.SHA256[31]++ },
		"object": func(r *receipt.Receipt) { r.Object += "x" },
		"store":  func(r *receipt.Receipt) { r.Store[0]++ },
		"seq":    func(r *receipt.Receipt) { r.LastSeq++ },
	} {
		other := first
		change(&other)
		if err := r.Write(other); !errors.Is(err, receipt.ErrConflict) || !strings.Contains(err.Error(), "-0000000000000001.json") {
			t.Errorf("another %s: %v", what, err)
		}
	}
}

// Many writers of one receipt, of two processes: all succeed, one file.
func TestReceiptRace(t *testing.T) {
	fsys := vfs.Dir(t.TempDir())
	rs := []*receipt.Folder{receipttest.OpenReceipts(t, fsys), receipttest.OpenReceipts(t, fsys)}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			receipt := receipttest.ReceiptFor(receipttest.TargetA, segment.Ref{Timeline: 1, ID: 1})
			receipt.Shipped = receipt.Shipped.Add(time.Duration(i))
			if err := rs[i%2].Write(receipt); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if list, err := fsys.ReadDir(receipttest.TargetA); err != nil || len(list) != 1 {
		t.Errorf("the folder holds %v, %v", list, err)
	}
}

func TestReceiptsAreListedInOrder(t *testing.T) {
	disk := crashfs.New()
	r := receipttest.OpenReceipts(t, disk)
	want := []segment.Ref{{Timeline: 9, ID: 1}, {Timeline: 2, ID: 9}, {Timeline: 1, ID: 10}, {Timeline: 3, ID: 10}, {Timeline: 1, ID: 1 << 40}}
	for _, i := range []int{3, 0, 4, 2, 1} {
		testkit.Must(t, r.Write(receipttest.ReceiptFor(receipttest.TargetA, want[i])))
	}
	testkit.Must(t, r.Write(receipttest.ReceiptFor(receipttest.TargetB, segment.Ref{Timeline: 7, ID: 7})))
	disk.SetBytes(receipttest.TargetA+"/.tmp-x", []byte("cut off"))
	disk.SetBytes(receipttest.TargetA+"/notes.txt", []byte("somebody's"))
	disk.SetBytes("status.json", []byte("{}"))
	refs, err := r.Refs(receipttest.TargetA)
	if err != nil || !slices.Equal(refs, want) {
		t.Errorf("%v, %v", refs, err)
	}
	i := 0
	for receipt, err := range r.All(receipttest.TargetA) {
		if err != nil || receipt.Segment != want[i] {
			t.Errorf("%d: %+v, %v", i, receipt, err)
		}
		i++
	}
	if i != len(want) {
		t.Errorf("%d receipts, want %d", i, len(want))
	}
	if refs, err := r.Refs("ffffffffffffffffffffffffffffffff"); len(refs) > 0 || err != nil {
		t.Errorf("a target without receipts: %v, %v", refs, err)
	}
}

func TestDamagedReceiptIsNamed(t *testing.T) {
	disk := crashfs.New()
	r := receipttest.OpenReceipts(t, disk)
	ref, other := segment.Ref{Timeline: 1, ID: 1}, segment.Ref{Timeline: 1, ID: 2}
	testkit.Must(t, r.Write(receipttest.ReceiptFor(receipttest.TargetA, ref)))
	testkit.Must(t, r.Write(receipttest.ReceiptFor(receipttest.TargetA, other)))
	name := receipttest.Name(receipttest.TargetA, ref)
	good := disk.Bytes(name)
	otherName := receipttest.Name(receipttest.TargetA, other)
	for what, b := range map[string][]byte{
		"empty":            {},
		"cut":              good[:len(good)-3],
		"zeros":            make([]byte, 300),
		"two":              slices.Concat(good, good),
		"of another":       disk.Bytes(otherName),
		"another spelling": []byte(strings.ReplaceAll(string(good), "  ", " ")),
		"a field too many": []byte(strings.Replace(string(good), "{", "{\n  \"x\": 1,", 1)),
		"long":             append(slices.Clone(good), make([]byte, 1<<16)...),
	} {
		disk.SetBytes(name, b)
		_, ok, err := r.Get(receipttest.TargetA, ref)
		if ok || err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "written again") || strings.Contains(err.Error(), "varve archive") {
			t.Errorf("%s: %v, %v", what, ok, err)
		}
		if has, err := r.Has(receipttest.TargetA, ref); has || err != nil {
			t.Errorf("%s: it counts: %v", what, err)
		}
		var seen []string
		for receipt, err := range r.All(receipttest.TargetA) {
			seen = append(seen, fmt.Sprint(receipt.Segment.ID, err != nil))
		}
		if want := []string{fmt.Sprint(segment.ID(0), true), fmt.Sprint(segment.ID(2), false)}; !slices.Equal(seen, want) {
			t.Errorf("%s: All yields %q", what, seen)
		}
	}
	object, err := statefile.Checked(good)
	testkit.Must(t, err)
	disk.SetBytes(name, statefile.WithCheck(bytes.Replace(object, []byte(`"format": 1`), []byte(`"format": 2`), 1)))
	if _, _, err := r.Get(receipttest.TargetA, ref); !errors.Is(err, segment.ErrVersion) {
		t.Errorf("a newer format: %v", err)
	}
	if has, err := r.Has(receipttest.TargetA, ref); !has || err != nil {
		t.Errorf("a newer format does not count: %v", err)
	}
	if err := r.Write(receipttest.ReceiptFor(receipttest.TargetA, ref)); !errors.Is(err, segment.ErrVersion) {
		t.Errorf("over a newer format: %v", err)
	}
}

// An ID comes from a target, and becomes the name of a folder.
func TestReceiptsOfNoIdentity(t *testing.T) {
	r := receipttest.OpenReceipts(t, crashfs.New())
	for _, id := range []string{"", "..", "../x", receipttest.TargetA[1:], receipttest.TargetA + "/x", strings.ToUpper(receipttest.TargetB), "g" + receipttest.TargetA[1:]} {
		ref := segment.Ref{Timeline: 1, ID: 1}
		_, _, err1 := r.Get(id, ref)
		_, err2 := r.Has(id, ref)
		_, err3 := r.Refs(id)
		if err1 == nil || err2 == nil || err3 == nil || r.Write(receipttest.ReceiptFor(id, ref)) == nil {
			t.Errorf("%q is taken: %v, %v, %v", id, err1, err2, err3)
		}
	}
}

// TestReceiptPowerCut cuts the power after every operation of three writes.
func TestReceiptPowerCut(t *testing.T) {
	const seed = 1
	disk := crashfs.New()
	rec := disk.Record()
	r := receipttest.OpenReceipts(t, disk)
	var done []int // the operations after which receipt i is durable
	for i := range 3 {
		testkit.Must(t, r.Write(receipttest.ReceiptFor([]string{receipttest.TargetA, receipttest.TargetB}[i%2], segment.Ref{Timeline: 1, ID: segment.ID(i + 1)})))
		done = append(done, rec.Ops())
	}
	for n := range rec.Ops() + 1 {
		for state, crashed := range rec.At(n).States(seed) {
			r := receipttest.OpenReceipts(t, crashed)
			for i := range done {
				want := receipttest.ReceiptFor([]string{receipttest.TargetA, receipttest.TargetB}[i%2], segment.Ref{Timeline: 1, ID: segment.ID(i + 1)})
				_, ok, err := r.Get(want.Target, want.Segment)
				if err != nil || n >= done[i] && !ok {
					t.Errorf("seed %d, cut after %v, %v: receipt %d: %v, %v", seed, rec.Op(n), state, i, ok, err)
				}
				if err := r.Write(want); err != nil {
					t.Errorf("seed %d, cut after %v, %v: write again: %v", seed, rec.Op(n), state, err)
				}
			}
			if len(crashed.Names()) != len(done) {
				t.Errorf("seed %d, cut after %v, %v: left %q", seed, rec.Op(n), state, crashed.Names())
			}
		}
	}
}

// Every call fails once; the receipt is whole or absent, and is there after
// the write that succeeds.
func TestReceiptFailedCalls(t *testing.T) {
	for n := 1; ; n++ {
		disk := crashfs.New()
		r := receipttest.OpenReceipts(t, disk)
		calls := disk.Calls()
		broken := errors.New("broken")
		disk.Fail(crashfs.FailNth(n, broken, true))
		want := receipttest.ReceiptFor(receipttest.TargetA, segment.Ref{Timeline: 1, ID: 1})
		err := r.Write(want)
		if disk.Calls()-calls < n {
			return // fewer calls than n
		}
		if err != nil && !errors.Is(err, broken) {
			t.Errorf("call %d: %v", n, err)
		}
		if _, ok, gerr := r.Get(receipttest.TargetA, want.Segment); gerr != nil || err == nil && !ok {
			t.Errorf("call %d, %v: %v, %v", n, err, ok, gerr)
		}
		if err := r.Write(want); err != nil {
			t.Errorf("call %d: again: %v", n, err)
		}
		for state, crashed := range disk.States(1) {
			if _, ok, err := receipttest.OpenReceipts(t, crashed).Get(receipttest.TargetA, want.Segment); !ok || err != nil {
				t.Errorf("call %d, %v: %v, %v", n, state, ok, err)
			}
		}
	}
}

func TestReceiptsOnAFullDisk(t *testing.T) {
	disk := crashfs.New()
	r := receipttest.OpenReceipts(t, disk)
	receipt := receipttest.ReceiptFor(receipttest.TargetA, segment.Ref{Timeline: 1, ID: 1})
	disk.SetFree(100)
	if err := r.Write(receipt); !vfs.IsDiskFull(err) {
		t.Errorf("%v", err)
	}
	if names := disk.Names(); len(names) > 0 {
		t.Errorf("left %q", names)
	}
	disk.SetFree(-1)
	testkit.Must(t, r.Write(receipt))
}

// noLinks is a file system without hard links.
type noLinks struct{ vfs.FS }

func (noLinks) Link(string, string) error { return vfs.ErrUnsupported }

func TestReceiptsWithoutHardLinks(t *testing.T) {
	disk := crashfs.New()
	r := receipttest.OpenReceipts(t, noLinks{disk})
	rec := receipttest.ReceiptFor(receipttest.TargetA, segment.Ref{Timeline: 1, ID: 1})
	testkit.Must(t, r.Write(rec))
	rec.Size++
	if err := r.Write(rec); !errors.Is(err, receipt.ErrConflict) {
		t.Error(err)
	}
	if names := disk.Names(); len(names) != 1 {
		t.Errorf("left %q", names)
	}
}

func TestReceiptErrorsSayWhatToDo(t *testing.T) {
	disk := crashfs.New()
	disk.Fail(crashfs.FailNth(1, fs.ErrPermission, false, crashfs.OpMkdir))
	if _, err := receipt.Open(disk); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), string(receipt.OtherFolder)) {
		t.Error(err)
	}
}

// TestReceiptTrace is the durability of a receipt, line by line.
func TestReceiptTrace(t *testing.T) {
	disk := crashfs.New()
	var got []string
	trace := func() vfs.FS {
		return vfs.Trace(disk, func(line string) {
			if i := strings.Index(line, statefile.TempPrefix); i >= 0 {
				line = line[:i] + "TEMP" + line[i+len(statefile.NewTemp()):]
			}
			got = append(got, strings.ReplaceAll(line, receipttest.TargetA, "A"))
		})
	}
	r := receipttest.OpenReceipts(t, trace())
	step := func(what string, err error, want ...string) {
		t.Helper()
		testkit.Must(t, err)
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n\t%s\nwant\n\t%s", what, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
		got = nil
	}
	ref := segment.Ref{Timeline: 1, ID: 1}
	const name = "A/00000000000000000001-0000000000000001.json"
	step("open", nil, "mkdir .")
	step("the first", r.Write(receipttest.ReceiptFor(receipttest.TargetA, ref)), "mkdir A", "syncdir A", "syncdir .",
		"create A/TEMP", "write A/TEMP 0+613", "sync A/TEMP", "link A/TEMP "+name, "remove A/TEMP", "syncdir A")
	_, err := r.Has(receipttest.TargetA, ref)
	step("has", err)
	step("the same again", r.Write(receipttest.ReceiptFor(receipttest.TargetA, ref)), "syncdir A", "syncdir .")
	r = receipttest.OpenReceipts(t, trace())
	got = nil
	_, err = r.Has(receipttest.TargetA, ref)
	step("what another wrote is durable before it is told", err, "syncdir A", "syncdir .")
}
