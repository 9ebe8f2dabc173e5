package receipt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Folder is the folder of the receipts, below it one folder for each target:
//
//	<id of the target's identity>/<id>-<timeline>.json
//
// Receipts are written once, each in a file of its own, so that none can take
// another with it. Its methods may be called from several goroutines, and
// several processes may write into one folder. Other files of the archiver lie
// beside the folders; what has a dot in front is a receipt being written.
//
// A damaged receipt is no receipt: its target has to be asked, and the new one takes its place.
type Folder struct {
	Fsys    vfs.FS
	folders *statefile.FolderSync

	mu      sync.Mutex      // guards settled
	settled map[string]bool // targets whose folders were synced, and no Write failed since
}

// ErrConflict is wrapped by the error of Write where a receipt is there that says something
// else of the segment.
var ErrConflict = errors.New("there is another receipt for the segment")

// Open opens the folder of fsys, and makes it where it is absent.
func Open(fsys vfs.FS) (*Folder, error) {
	if err := fsys.Mkdir("."); err != nil {
		return nil, Unwritten(fsys.Path("."), err)
	}
	r := &Folder{Fsys: fsys, folders: statefile.NewFolderSync(fsys), settled: map[string]bool{}}
	return r, r.tidy()
}

// OtherFolder is what has to be done where receipts cannot be written.
const OtherFolder segment.Remedy = "keep the receipts in a folder of this user"

// Unwritten names what could not be written, and says what to do.
func Unwritten(path string, err error) error {
	err = fmt.Errorf("receipt %s: %w", path, err)
	if vfs.IsDenied(err) {
		err = fmt.Errorf("%w; %s", err, OtherFolder)
	}
	return err
}

// tidy removes what a writer left that was killed.
func (r *Folder) tidy() error {
	targets, err := r.Fsys.ReadDir(".")
	if err != nil {
		return err
	}
	for _, target := range append(targets, nil) {
		dir := "." // where the status is written
		if target != nil {
			dir = target.Name()
		}
		if target != nil && (!target.IsDir() || !statefile.ValidID(dir)) {
			continue
		}
		if err := statefile.RemoveTemps(r.Fsys, dir, time.Now().Add(-statefile.TempAge)); err != nil && !vfs.IsDenied(err) {
			return err
		}
	}
	return nil
}

// receiptName returns the name of a receipt's file.
func receiptName(targetID string, ref segment.Ref) (string, error) {
	if !statefile.ValidID(targetID) {
		return "", fmt.Errorf("%q is not the identity of a target", targetID)
	}
	return fmt.Sprintf("%s/%v-%v.json", targetID, ref.ID, ref.Timeline), nil
}

// parseReceiptName is the inverse of receiptName, for the name in the folder.
func parseReceiptName(name string) (ref segment.Ref, ok bool) {
	base, ok := strings.CutSuffix(name, ".json")
	id, timeline, _ := strings.Cut(base, "-")
	return ref, ok && ref.UnmarshalText([]byte(timeline+"/"+id)) == nil
}

// settle makes durable what is in the folder of a target, and its own name,
// before the first that is said of it: who wrote a receipt may have been
// killed before the sync, and a power cut must not take back what was said.
// The folder is made if create.
func (r *Folder) settle(target string, create bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.settled[target] {
		return nil
	}
	if create {
		if err := r.Fsys.Mkdir(target); err != nil {
			return err
		}
	}
	err := r.Fsys.SyncDir(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // no receipt either
	}
	if err = errors.Join(err, r.Fsys.SyncDir(".")); err == nil {
		r.settled[target] = true
	}
	return err
}

// Has reports whether there is a receipt. A damaged one is none, so that the target is
// asked; one of a newer format is one.
func (r *Folder) Has(targetID string, ref segment.Ref) (bool, error) {
	_, ok, err := r.Get(targetID, ref)
	if errors.Is(err, segment.ErrVersion) {
		return true, nil
	}
	if _, damaged := errors.AsType[*DamagedError](err); damaged {
		return false, nil
	}
	return ok, err
}

// Get reads a receipt, and reports whether there is one. The error is a
// *DamagedError, wraps segment.ErrVersion for a newer format, or is one of reading.
func (r *Folder) Get(targetID string, ref segment.Ref) (Receipt, bool, error) {
	if _, err := receiptName(targetID, ref); err != nil {
		return Receipt{}, false, err
	}
	if err := r.settle(targetID, false); err != nil {
		return Receipt{}, false, err
	}
	return readReceipt(r.Fsys, targetID, ref)
}

// readReceipt is Get without any sync: what it finds may be gone after a power cut.
func readReceipt(fsys vfs.FS, targetID string, ref segment.Ref) (Receipt, bool, error) {
	name, err := receiptName(targetID, ref)
	if err != nil {
		return Receipt{}, false, err
	}
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Receipt{}, false, nil
	}
	if err != nil {
		return Receipt{}, false, err
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, maxReceipt))
	if err = errors.Join(err, f.Close()); err != nil {
		return Receipt{}, false, err
	}
	receipt, err := parseReceipt(b, targetID, ref)
	if errors.Is(err, segment.ErrVersion) {
		return Receipt{}, false, fmt.Errorf("receipt %s: %w; %s", fsys.Path(name), err, segment.UseNewer)
	}
	if err != nil {
		return Receipt{}, false, &DamagedError{fsys.Path(name), ref, err}
	}
	return receipt, true, nil
}

// Write keeps a receipt, and returns when it is durable. One that says the same
// of the segment may be there, and stays; a damaged one is replaced, since the new one says all
// that it can have said. Where a sound one says something else the error wraps ErrConflict.
func (r *Folder) Write(receipt Receipt) error {
	receipt.Format = receiptFormat
	name, err := receiptName(receipt.Target, receipt.Segment)
	if err != nil {
		return err
	}
	b, err := receipt.encode()
	if err != nil {
		return err
	}
	if _, err := parseReceipt(b, receipt.Target, receipt.Segment); err != nil {
		return fmt.Errorf("receipt for %v: %w", receipt.Segment, err)
	}
	if err := r.settle(receipt.Target, true); err != nil {
		return Unwritten(r.Fsys.Path(name), err)
	}
	err = r.add(receipt.Target, name, b, false)
	if errors.Is(err, fs.ErrExist) {
		err = r.compare(name, receipt)
		if _, damaged := errors.AsType[*DamagedError](err); !damaged {
			return err
		}
		err = r.add(receipt.Target, name, b, true)
	}
	if err != nil {
		return Unwritten(r.Fsys.Path(name), err)
	}
	return nil
}

// add makes the file of a receipt, durably, where there is none, or else in place of a damaged
// one. After an error, fs.ErrExist included, a file that is there is durable once it was settled.
func (r *Folder) add(target, name string, b []byte, replace bool) error {
	err := r.create(name, b, replace)
	if err == nil {
		err = r.folders.Sync(target)
	}
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.settled, target)
	}
	return err
}

// create makes the file of a receipt, whole, where there is none, or replaces what is there.
func (r *Folder) create(name string, b []byte, replace bool) error {
	if _, err := r.Fsys.Stat(name); err == nil && !replace {
		return fs.ErrExist
	}
	temp := path.Join(path.Dir(name), statefile.NewTemp())
	err := statefile.WriteFile(r.Fsys, temp, b)
	if err == nil && !replace {
		err = r.Fsys.Link(temp, name)
	}
	if err == nil && replace || errors.Is(err, vfs.ErrUnsupported) { // which is: no hard links
		// This would replace a receipt made meanwhile, but only by one for the very same object.
		err = r.Fsys.Rename(temp, name)
	}
	return errors.Join(err, vfs.IgnoreAbsent(r.Fsys.Remove(temp)))
}

// compare holds the receipt that is there against the one to be written.
func (r *Folder) compare(name string, want Receipt) error {
	have, ok, err := r.Get(want.Target, want.Segment)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("receipt %s: it was removed while it was written; try again", r.Fsys.Path(name))
	case !have.same(want):
		return fmt.Errorf("receipt %s: %w: it says %d bytes of SHA-256 %v, now there are %d of %v; compare the target's object with the store's segment",
			r.Fsys.Path(name), ErrConflict, have.Size, have.SHA256, want.Size, want.SHA256)
	}
	return nil
}

// Refs lists the segments of which a target has receipts, in order, from the
// names alone; a damaged one has a name, too.
func (r *Folder) Refs(targetID string) ([]segment.Ref, error) {
	if !statefile.ValidID(targetID) {
		return nil, fmt.Errorf("%q is not the identity of a target", targetID)
	}
	if err := r.settle(targetID, false); err != nil {
		return nil, err
	}
	list, err := r.Fsys.ReadDir(targetID)
	if err != nil {
		return nil, vfs.IgnoreAbsent(err)
	}
	refs := make([]segment.Ref, 0, len(list))
	for _, e := range list {
		if ref, ok := parseReceiptName(e.Name()); ok {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, segment.Ref.Compare)
	return refs, nil
}

// All reads the receipts of a target, in order of the segments. One that cannot
// be read is yielded as an error, and the others follow.
func (r *Folder) All(targetID string) iter.Seq2[Receipt, error] {
	return func(yield func(Receipt, error) bool) {
		refs, err := r.Refs(targetID)
		if err != nil {
			yield(Receipt{}, err)
			return
		}
		for _, ref := range refs {
			receipt, ok, err := r.Get(targetID, ref)
			if (ok || err != nil) && !yield(receipt, err) {
				return
			}
		}
	}
}
