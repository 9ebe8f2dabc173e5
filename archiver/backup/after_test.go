package backup

import (
	"errors"
	"io/fs"
	"maps"
	"testing"
	"testing/fstest"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// listedFS counts the listings of a folder.
type listedFS struct {
	fstest.MapFS
	n int
}

func (l *listedFS) ReadDir(name string) ([]fs.DirEntry, error) {
	l.n++
	return l.MapFS.ReadDir(name)
}

// shipsOnce has everything shipped. The folders of these tests are no whole stores, which an
// archiver says after that.
func shipsOnce(t *testing.T, a *archiver.Archiver) {
	t.Helper()
	if _, err := a.Once(t.Context()); err != nil && !errors.Is(err, source.ErrBroken) {
		t.Fatal(err)
	}
}

// shipper returns an archiver of the scene's store that has shipped what is in the folder.
func (s *backupScene) shipper(store fs.FS) *archiver.Archiver {
	s.t.Helper()
	a, err := archiver.New(archiver.Options{Store: store, Receipts: s.state, Targets: []target.Target{s.target}})
	testkit.Must(s.t, err)
	shipsOnce(s.t, a)
	return a
}

// sealed puts what is sealed into the folder, and does not ship it.
func (s *backupScene) sealed() {
	for ref, b := range s.w.ToShip {
		s.folder[ref.ID.String()+".seg"] = &fstest.MapFile{Data: b, Mode: 0o400}
		delete(s.w.ToShip, ref)
	}
}

// TestABackupAfterShippingIsOfWhatWasShipped: a log that was sealed since is not shipped, and
// no reason to make no backup. The store is not listed for the segments again.
func TestABackupAfterShippingIsOfWhatWasShipped(t *testing.T) {
	s := newBackupScene(t)
	s.roll(3)
	s.roll(2)
	s.sealed()
	store := &listedFS{MapFS: s.folder}
	a := s.shipper(store)
	s.roll(1)
	s.sealed()
	if _, err := s.create(); err == nil {
		t.Error("a backup of the store as it is was made, with a log that was not shipped")
	}
	before := store.n
	b, err := Create(t.Context(), s.a, CreateOptions{Store: store, Receipts: s.state, Now: s.now, After: a.Shipped(s.a.Identity().ID)})
	testkit.Must(t, err)
	if b.Seq != 5 || b.Tip != archivesim.Refs(1, 2)[0] || b.Objects != 5 {
		t.Errorf("backup %+v", b)
	}
	if digest, size := s.digestOf(b); b.Digest != digest || b.Bytes != size {
		t.Errorf("digest %v of %d bytes, want %v of %d", b.Digest, b.Bytes, digest, size)
	}
	if n := store.n - before; n > 1 { // for the log that replaces another
		t.Errorf("the folder was listed %d times", n)
	}
	shipsOnce(t, a)
	c, err := Create(t.Context(), s.a, CreateOptions{Store: store, Receipts: s.state, Now: s.now, After: a.Shipped(s.a.Identity().ID)})
	testkit.Must(t, err)
	d := s.mustCreate()
	if c.Seq != 6 || d.Seq != 6 || c.Digest != d.Digest || c.OwnBytes == 0 {
		t.Errorf("after shipping again: %+v, without the archiver: %+v", c, d)
	}
}

// TestABackupAfterShippingLooksAgainWhereTheStoreChanged: the newest log that was shipped is
// not there, or is another, when the backup is made.
func TestABackupAfterShippingLooksAgainWhereTheStoreChanged(t *testing.T) {
	s := newBackupScene(t)
	s.roll(3)
	s.roll(2)
	s.sealed()
	a := s.shipper(maps.Clone(s.folder))
	name := func(id segment.ID) string { return id.String() + ".seg" }
	for what, change := range map[string]func(fstest.MapFS){
		"gone":    func(m fstest.MapFS) { delete(m, name(2)) },
		"another": func(m fstest.MapFS) { m[name(2)] = m[name(1)] },
	} {
		m := maps.Clone(s.folder)
		change(m)
		b, err := Create(t.Context(), s.a, CreateOptions{Store: m, Receipts: s.state, Now: s.now, After: a.Shipped(s.a.Identity().ID)})
		if err != nil || b.Tip != archivesim.Refs(1, 1)[0] || b.Seq != 3 {
			t.Errorf("%s: %+v, %v", what, b, err)
		}
	}
}

// TestABackupAfterShippingElsewhereGoesByTheReceipts: the archiver does not know of this
// target.
func TestABackupAfterShippingElsewhereGoesByTheReceipts(t *testing.T) {
	s := newBackupScene(t)
	s.roll(3)
	s.ship()
	other := newBackupScene(t)
	a, err := archiver.New(archiver.Options{Store: s.folder, Receipts: s.state, Targets: []target.Target{other.target}})
	testkit.Must(t, err)
	shipsOnce(t, a)
	o := CreateOptions{Store: s.folder, Receipts: s.state, Now: s.now, After: a.Shipped(s.a.Identity().ID)}
	b, err := Create(t.Context(), s.a, o)
	if err != nil || b.Seq != 3 {
		t.Errorf("%+v, %v", b, err)
	}
	testkit.Must(t, s.receipts.Fsys.Remove(s.a.Identity().ID+"/"+archivesim.Refs(1, 1)[0].ID.String()+"-"+archivesim.Refs(1, 1)[0].Timeline.String()+".json"))
	if _, err := Create(t.Context(), s.a, o); err == nil {
		t.Error("a backup of a segment without a receipt")
	}
}
