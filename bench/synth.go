package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// synthetic is a store of many tiny logs, one second apart, which all are in an archive, with a
// backup after each of the last of them. The archiver sees the same as of a real store, which
// would take days to make.
type synthetic struct {
	archive  string // the folder of the archive's objects
	target   string // the ID of its identity
	store    string // the folder of the store
	receipts *receipt.Folder
	begun    time.Time
	refs     []segment.Ref
}

// syntheticUUID is the store's.
var syntheticUUID = segment.UUID{0xbe, 6: 0x40, 8: 0x80, 15: 1}

// make makes n logs and as many backups, with room for some more logs in refs.
func (y *synthetic) make(ctx context.Context, n, backups int) error {
	y.begun = time.Now().Add(-time.Duration(n) * time.Second)
	for id := range segment.ID(n + 100) {
		y.refs = append(y.refs, segment.Ref{Timeline: 1, ID: id + 1})
	}
	for _, dir := range []string{y.objects(), y.catalog()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	var last atomic.Int64
	err := together(runtime.NumCPU(), func() error {
		for id := int(last.Add(1)); id <= n; id = int(last.Add(1)) {
			if err := y.add(segment.ID(id), true); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		return nil
	})
	for i := range backups {
		err = errors.Join(err, y.backup(i+1, n-backups+i+1))
	}
	return err
}

func (y *synthetic) objects() string {
	return filepath.Join(y.archive, syntheticUUID.String(), segment.Timeline(1).String())
}

func (y *synthetic) catalog() string {
	return filepath.Join(y.archive, syntheticUUID.String(), "backups")
}

func (y *synthetic) at(id segment.ID) time.Time {
	return y.begun.Add(time.Duration(id) * time.Second)
}

// add makes the log of an id and, if it is shipped, its object and its receipt. After one that
// is not, the store has a newest log, so that it opens.
func (y *synthetic) add(id segment.ID, shipped bool) error {
	b, err := y.log(id)
	if err != nil {
		return err
	}
	name := id.String() + ".seg"
	if err := os.WriteFile(filepath.Join(y.store, name), b, 0o400); err != nil {
		return err
	}
	if !shipped {
		if err := os.Remove(filepath.Join(y.store, id.String()+".open")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return y.newest(int(id))
	}
	at := y.at(id).UnixNano()
	return errors.Join(
		os.Link(filepath.Join(y.store, name), filepath.Join(y.objects(), name)),
		y.receipts.Write(receipt.Receipt{
			Target: y.target, URL: "file:///archive", Store: syntheticUUID, Segment: y.refs[id-1], Kind: segment.Log.String(),
			Object: fmt.Sprintf("%v/%v/%s", syntheticUUID, segment.Timeline(1), name), Size: int64(len(b)), SHA256: sha256.Sum256(b),
			Shipped: y.at(id + 1).UTC(), FirstSeq: uint64(id), LastSeq: uint64(id), FirstTime: at + 1, LastTime: at + 1, Puts: 1,
		}))
}

// header returns the header of a log.
func (y *synthetic) header(id segment.ID) *segment.Header {
	h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: syntheticUUID, Ref: y.refs[id-1], FirstSeq: uint64(id),
		Time: y.at(id).UnixNano(), NextID: id + 1}}
	if id > 1 {
		h.Live = segment.SetOfRuns(segment.Run{Timeline: 1, First: 1, Count: uint64(id - 1)})
	}
	return h
}

// log returns a sealed log with one object.
func (y *synthetic) log(id segment.ID) ([]byte, error) {
	h := y.header(id)
	b := h.Append(nil)
	begin, p := int64(len(b)), h.ChecksumSeed()
	put := segment.Record{Kind: segment.Put, Key: fmt.Appendf(nil, "%08d", id), Value: []byte("value"), ValueSize: 5}
	end := segment.Record{Kind: segment.End}
	end.SetEnd(y.refs[id])
	for i, r := range []*segment.Record{&put, &end} {
		r.Seq, r.Time, r.Vouch = uint64(id)+uint64(i), h.Time+1+int64(i), int64(len(b))
		r.Flags |= segment.FlagCommit | segment.FlagVouch
		b = p.AppendRecord(b, int64(len(b)), r)
	}
	r := segment.ReaderFor(&h.Head, bytes.NewReader(b), int64(len(b)))
	r.HeaderSize = begin
	footer, _, err := r.Seal(r.Size)
	return append(b, footer...), err
}

// newest writes the log after the last of the n sealed ones as its writer left it when it
// was killed: begun, and not closed.
func (y *synthetic) newest(n int) error {
	h := y.header(segment.ID(n + 1))
	b := h.Append(nil)
	mark := segment.Record{Kind: segment.Mark, Flags: segment.FlagCommit | segment.FlagVouch, Seq: h.FirstSeq, Time: h.Time + 1, Vouch: int64(len(b))}
	b = h.ChecksumSeed().AppendRecord(b, mark.Vouch, &mark)
	return os.WriteFile(filepath.Join(y.store, h.Ref.ID.String()+".open"), b, 0o600)
}

// backup writes the manifest of a backup of the first logs, as the archiver does.
func (y *synthetic) backup(id, logs int) error {
	b := &archive.Backup{Format: 1, ID: uint64(id), Time: y.at(segment.ID(logs)).UTC(), Store: syntheticUUID, Tip: y.refs[logs-1],
		Seq: uint64(logs), Objects: int64(logs), Segments: []segment.Run{{Timeline: 1, First: 1, Count: uint64(logs)}}}
	plain, err := json.Marshal(b)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(plain)
	b.Sum = hex.EncodeToString(sum[:])
	text, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(y.catalog(), fmt.Sprintf("%020d.json", id)), append(text, '\n'), 0o600)
}

// unsynced is a folder in which nothing waits for the disk: what is made there is
// flushed once, before it is used.
type unsynced struct{ vfs.FS }

func (u unsynced) Create(name string) (vfs.File, error) {
	f, err := u.FS.Create(name)
	return unsyncedFile{f}, err
}

func (u unsynced) SyncDir(string) error { return nil }

type unsyncedFile struct{ vfs.File }

func (unsyncedFile) Sync() error { return nil }
