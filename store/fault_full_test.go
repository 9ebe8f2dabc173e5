package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
)

// fill puts objects until a put is refused, and returns how many there are.
func (d *drill) fill(prefix string, size int) (n int) {
	for i := range 100_000 {
		d.put(fmt.Sprintf("%s%05d", prefix, i), size)
		if d.failed != nil {
			return i
		}
	}
	d.complain("the disk does not fill")
	return 0
}

// full checks what holds on a full disk: the error says so, reads go on.
func (d *drill) full(t *testing.T) {
	t.Helper()
	if !errors.Is(d.failed, ErrDiskFull) || errors.Is(d.failed, ErrPoisoned) {
		t.Fatalf("put on a full disk: %v", d.failed)
	}
	eventually(t, "full disk in the stats", func() bool {
		d.put("more", 300) // a seal may have made a little room
		return d.db.Stats().DiskFull
	})
	if s := d.db.Stats(); s.Failed != "" {
		t.Errorf("stats: %+v", s)
	}
	if err := reads(d.db); err != nil {
		t.Errorf("reading on a full disk: %v", err)
	}
}

// deletes removes the first n objects of a prefix, which the reserve pays for.
func (d *drill) deletes(t *testing.T, prefix string, n int) {
	t.Helper()
	for i := range n {
		key := fmt.Sprintf("%s%05d", prefix, i)
		err := d.db.Delete([]byte(key))
		d.commit("delete", err, del1(key))
		if err != nil {
			t.Errorf("delete %d of %d on a full disk: %v", i, n, err)
			return
		}
	}
}

func TestDiskFills(t *testing.T) {
	noLeaks(t)
	for _, mode := range []Durability{SyncAlways, SyncEvery(10 * time.Millisecond)} {
		for _, free := range []int64{0, 200, 3000, 20_000, 64 << 10, 200_000, 1 << 20} {
			for _, segment := range []int64{MinSegmentSize, 64 << 10} {
				t.Run(fmt.Sprintf("sync %v, %d bytes free, segments of %d", mode, free, segment), func(t *testing.T) {
					t.Parallel()
					fsys := crashfs.New()
					d := &drill{mode: mode, fs: fsys, files: &counted{FS: fsys}}
					d.db = mustOpen(t, d.files, Options{SegmentSize: segment, Durability: mode})
					d.put("first", 100)
					eventually(t, "mark", func() bool { return d.db.isMarked() })
					fsys.SetFree(free)
					n := d.fill("a", max(300, int(free/400)))
					t.Logf("%d objects; %v", n, d.failed)
					d.full(t)
					if free >= 200_000 { // below, the footers take all that there is
						d.deletes(t, "a", min(n, 40))
					}
					d.crashes()
					fsys.SetFree(-1)
					eventually(t, "puts", func() bool {
						d.failed = nil
						d.put("again", 100)
						return d.failed == nil
					})
					eventually(t, "stats without a full disk", func() bool { return !d.db.Stats().DiskFull })
					if err := d.db.Sync(); err != nil {
						t.Fatal(err)
					}
					d.track.ack(0)
					if free == 1<<20 {
						_, err := d.db.Seal()
						d.saw("seal", err)
					}
					d.aftermath()
					for _, err := range append(d.trouble, d.failed) {
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
	}
}

// The reserve pays for the footer of a log that was rolled before the disk filled.
func TestReservePaysForTheFooter(t *testing.T) {
	noLeaks(t)
	fsys := crashfs.New()
	db := mustOpen(t, fsys, Options{SegmentSize: 64 << 10})
	for i := range 100 {
		mustPut(t, db, fmt.Sprintf("k%d", i), value("k", 300))
	}
	eventually(t, "spare", func() bool { return db.isMarked() && db.hasSpare() })
	fsys.SetFree(0)
	sealed, err := db.Seal()
	if !sealed || err != nil {
		t.Errorf("seal on a full disk: %v, %v", sealed, err)
	}
	mustClose(t, db)
}

func TestOpenOnAFullDisk(t *testing.T) {
	noLeaks(t)
	fill := func() *crashfs.FS {
		fsys := crashfs.New()
		db := mustOpen(t, fsys, Options{SegmentSize: MinSegmentSize})
		for i := range 30 {
			mustPut(t, db, fmt.Sprintf("k%02d", i), value("k", 300))
		}
		mustClose(t, db)
		return fsys
	}
	t.Run("closed in order", func(t *testing.T) {
		fsys := fill()
		fsys.SetFree(0)
		db := mustOpen(t, fsys, Options{SegmentSize: MinSegmentSize})
		if got, err := readAll(db); err != nil || len(got) != 30 {
			t.Errorf("%d objects, %v", len(got), err)
		}
		if !db.Stats().DiskFull {
			t.Errorf("stats: %+v", db.Stats())
		}
		if err := db.Put([]byte("x"), nil); !errors.Is(err, ErrDiskFull) || !refusedWhole(err) {
			t.Errorf("put: %v; want it refused", err)
		}
		fsys.SetFree(-1)
		mustPut(t, db, "x", "1")
		mustClose(t, db)
	})
	t.Run("killed", func(t *testing.T) {
		fsys := fill()
		newTracer(fsys).noSpare() // whose room recovery could use
		db := mustOpen(t, fsys, Options{SegmentSize: MinSegmentSize})
		mustPut(t, db, "last", "1")
		killed := fsys.Kill()
		mustClose(t, db)
		killed.SetFree(10)
		before := files(killed)
		_, err := openFS(killed, resolve(t, Options{}))
		if !errors.Is(err, ErrDiskFull) || clear1(err) != nil {
			t.Fatalf("open: %v; want ErrDiskFull", err)
		}
		for name, was := range before {
			if is := string(killed.Bytes(name)); was != "" && is != was {
				t.Errorf("%s was changed by an open that failed", name)
			}
		}
		r, err := openReader(killed, resolve(t, Options{}))
		if err != nil {
			t.Fatal(err)
		}
		if v, err := r.Get([]byte("last")); err != nil || string(v) != "1" {
			t.Errorf("read-only: %q, %v", v, err)
		}
		mustClose(t, r)
		killed.SetFree(-1)
		db = mustOpen(t, killed, Options{})
		if v, err := db.Get([]byte("last")); err != nil || string(v) != "1" {
			t.Errorf("%q, %v", v, err)
		}
		mustClose(t, db)
	})
	t.Run("creation", func(t *testing.T) {
		fsys := crashfs.New()
		fsys.SetFree(10)
		if _, err := openFS(fsys, resolve(t, Options{})); !errors.Is(err, ErrDiskFull) || clear1(err) != nil {
			t.Fatalf("open: %v; want ErrDiskFull", err)
		}
		fsys.SetFree(-1)
		mustClose(t, mustOpen(t, fsys, Options{}))
	})
}
