package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// RepairOptions say how an archive is repaired. Store and Receipts must be given.
type RepairOptions struct {
	Store    fs.FS  // the store's folder, from which objects are put back
	Receipts string // the path of the folder of receipts, which say what the objects must be

	Data   bool           // find damage by reading every byte; else by size and hash as the target keeps it
	DryRun bool           // find out what would be done, and do nothing
	Done   func(Repaired) // called for each segment that was put back; may be nil
}

// RepairReport is what a repair of an archive found and did.
type RepairReport struct {
	URL      string               `json:"url"`
	DryRun   bool                 `json:"dry_run"`
	Checked  int                  `json:"checked"` // receipts whose objects were looked at
	Repaired []Repaired           `json:"healed"`  // of a dry run: that can be
	Failed   []archive.BadSegment `json:"failed"`  // that could not be, and why
}

// Repaired is an object that was put back.
type Repaired struct {
	Ref     segment.Ref `json:"segment"`
	Object  string      `json:"object"`          // or the file of its receipt
	Problem string      `json:"problem"`         // what was wrong
	Aside   string      `json:"aside,omitempty"` // the object that has the damaged bytes now
	Size    int64       `json:"size"`
}

// badMark follows the name of a segment in the name of the copy of its damaged object. A
// number follows it.
const badMark = ".bad-"

// Repair puts back what an archive has lost or holds damaged, of all segments that the store
// has a receipt for. It uses only segments of the store, after it has verified every byte
// against the receipt. A damaged receipt is written again from the store's segment, if the
// object is that segment.
//
// A damaged object is first copied to a name of its own. So nothing is overwritten, and
// nothing is deleted that somebody may still need. A sound object that is not what its receipt
// says is left alone, for a person to look at; so is an object of a newer format. Repair can
// be ended anywhere, and repeated. The error is the store's or the target's.
func Repair(ctx context.Context, a *archive.Archive, o RepairOptions) (*RepairReport, error) {
	receipts, err := receipt.Open(vfs.Dir(o.Receipts))
	if err != nil {
		return nil, err
	}
	src := source.New(o.Store)
	list, err := src.Segments()
	if err != nil {
		return nil, err
	}
	h := &repairer{a: a, o: o, source: src, local: map[segment.Ref]source.Sealed{}, rep: &RepairReport{
		URL: a.Target().URL(), DryRun: o.DryRun, Repaired: []Repaired{}, Failed: []archive.BadSegment{},
	}}
	for _, g := range list.Segments {
		h.local[g.Ref] = g
	}
	takeUp, err := h.findGivenUp(ctx, list)
	if err != nil {
		return nil, err
	}
	for r, err := range receipts.All(a.Identity().ID) {
		if bad, ok := errors.AsType[*receipt.DamagedError](err); ok {
			if err := h.renew(ctx, receipts, bad); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if r.Store != list.Store {
			continue
		}
		if err := h.repair(ctx, &r); err != nil {
			return nil, err
		}
	}
	return h.rep, takeUp(ctx)
}

type repairer struct {
	a      *archive.Archive
	o      RepairOptions
	source *source.Source
	local  map[segment.Ref]source.Sealed
	lost   segment.Set // what prune gave up and the store needs
	begun  segment.Set // what prune has begun to delete: it may be gone without a marker
	rep    *RepairReport
}

// repair looks at one object, and puts it back where that is needed and can be done.
func (h *repairer) repair(ctx context.Context, r *receipt.Receipt) error {
	name := archive.SegmentName(r.Store, r.Segment)
	var info target.Info
	var problem string
	err := target.Persist(ctx, target.Allowance(r.Size), func(ctx context.Context) (err error) {
		info, problem, err = h.examine(ctx, name, r)
		return err
	})
	h.rep.Checked++
	lost := h.lost.Has(r.Segment)
	switch {
	case err != nil:
		return err
	case problem == "" && lost:
		return h.unmark(ctx, r)
	case problem == "":
		return nil
	case lost:
		problem = "prune gave it up, and the store needs it"
	case h.begun.Has(r.Segment):
		return nil // prune deletes it
	default:
		_, err = h.a.Target().Stat(ctx, archive.RefName(r.Store, r.Segment, "gone"))
		if err == nil {
			return nil // prune deletes it
		}
		if !errors.Is(err, target.ErrNotExist) {
			return err
		}
	}
	done := Repaired{Ref: r.Segment, Object: h.a.At(name), Problem: problem, Size: r.Size}
	err = h.putBack(ctx, name, r, info, &done)
	if err == nil && lost {
		err = h.unmark(ctx, r)
	}
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		h.rep.Failed = append(h.rep.Failed, archive.BadSegment{Ref: r.Segment, Object: done.Object, Problem: problem + "; " + refused.why})
		return nil
	}
	if err != nil {
		return err
	}
	h.rep.Repaired = append(h.rep.Repaired, done)
	if h.o.Done != nil {
		h.o.Done(done)
	}
	return nil
}

// refusal is why a segment is not put back.
type refusal struct{ why string }

func (r *refusal) Error() string { return r.why }

func refuse(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

// examine says what is wrong with an object; an empty string means nothing is. The Info is
// zero where no object is there.
func (h *repairer) examine(ctx context.Context, name string, r *receipt.Receipt) (target.Info, string, error) {
	info, err := h.a.Target().Sum(ctx, name)
	if errors.Is(err, target.ErrNotExist) {
		return target.Info{}, "it is not there", nil
	}
	if err != nil {
		return info, "", err
	}
	if info.Size != r.Size || info.SHA256 != r.SHA256 {
		return info, fmt.Sprintf("%d bytes of SHA-256 %v are there; what was shipped had %d of %v", info.Size, segment.Digest(info.SHA256), r.Size, r.SHA256), nil
	}
	if !h.o.Data {
		return info, "", nil
	}
	_, err = h.a.VerifyObject(ctx, r.Store, r.Segment, info.Size, nil)
	problem, err := archive.ProblemOf(err)
	return info, problem, err
}

// putBack puts a segment of the store in the place of the damaged object, or where none is.
func (h *repairer) putBack(ctx context.Context, name string, r *receipt.Receipt, there target.Info, done *Repaired) error {
	g, ok := h.local[r.Segment]
	if !ok {
		return refuse("the store does not have the segment any more; a copy of the store or of the archive may")
	}
	f, err := h.source.Open(g.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	ship, err := h.worthy(ctx, f, r)
	if err != nil {
		return err
	}
	if there != (target.Info{}) {
		_, err := h.a.VerifyObject(ctx, r.Store, r.Segment, there.Size, nil)
		switch {
		case err == nil && there.SHA256 != r.SHA256:
			return refuse("it is a sound segment all the same, of some other history; find out whose it is, and move it away by hand")
		case errors.Is(err, segment.ErrVersion):
			return refuse("%v, so this version cannot tell whether it is damaged; %s", err, segment.UseNewer)
		}
	}
	if h.o.DryRun {
		return nil
	}
	now, err := target.Identify(ctx, h.a.Target())
	if err == nil && now.ID != h.a.Identity().ID {
		err = &target.OtherArchiveError{URL: h.a.Target().URL(), Was: h.a.Identity().ID, Is: now}
	}
	if err == nil && there != (target.Info{}) {
		err = h.makeRoom(ctx, name, there, done)
	}
	if err != nil {
		return err
	}
	return h.put(ctx, name, f, ship)
}

// worthy verifies the store's segment, and refuses one that is not what was shipped.
func (h *repairer) worthy(ctx context.Context, f *source.Opened, r *receipt.Receipt) (*sealed.Segment, error) {
	ship, err := sound(ctx, f)
	if err == nil && (ship.Ref != r.Segment || ship.Store != r.Store || ship.Size != r.Size || ship.SHA256 != r.SHA256) {
		err = refuse("the store's segment is not what was shipped: its SHA-256 is %v", segment.Digest(ship.SHA256))
	}
	return ship, err
}

// sound verifies a segment of the store. The error is a refusal where it is damaged.
func sound(ctx context.Context, f *source.Opened) (*sealed.Segment, error) {
	ship, err := sealed.Verify(ctx, f, f.Size)
	problem, err := archive.ProblemOf(err)
	if err == nil && problem != "" {
		err = refuse("the store's segment is no better: %s", problem)
	}
	return ship, err
}

// makeRoom removes a damaged object when there is a copy of it.
func (h *repairer) makeRoom(ctx context.Context, name string, there target.Info, done *Repaired) error {
	aside, err := h.copyAside(ctx, name, there)
	if err != nil {
		return err
	}
	done.Aside = h.a.At(aside)
	return h.a.Target().Delete(ctx, name)
}

// put stores the segment, and makes sure that it is there.
func (h *repairer) put(ctx context.Context, name string, f io.ReaderAt, s *sealed.Segment) error {
	err := h.a.Target().Put(ctx, name, f, s.Size, s.SHA256)
	if err == nil {
		return nil
	}
	info, again := h.a.Target().Sum(ctx, name) // perhaps an archiver was quicker, or the answer was lost
	if again == nil && info.Size == s.Size && info.SHA256 == s.SHA256 {
		return nil
	}
	return fmt.Errorf("%s: %w; %s", h.a.At(name), err, RepairAgain)
}

// copyAside copies an object to a name of its own. It returns that name once the copy is
// durable and has the same bytes.
func (h *repairer) copyAside(ctx context.Context, name string, there target.Info) (string, error) {
	sum, err := h.bytesOf(ctx, name, there.Size)
	if err != nil {
		return "", fmt.Errorf("%s cannot be set aside: %w; move it away by hand", h.a.At(name), err)
	}
	src := &shared{Stream: &archive.Stream{Object: archive.Object{Ctx: ctx, Target: h.a.Target(), Name: name, Size: there.Size}}}
	defer src.Close()
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s%s%d", name, badMark, n)
		err := h.a.Target().Put(ctx, aside, src, there.Size, sum)
		info, again := h.a.Target().Sum(ctx, aside)
		if again == nil && info.Size == there.Size && info.SHA256 == sum {
			return aside, nil
		}
		if !errors.Is(err, target.ErrExists) {
			return "", errors.Join(fmt.Errorf("%s cannot be set aside: %w", h.a.At(name), err), again)
		}
	}
}

// bytesOf returns the SHA-256 of the bytes that are really there. The target may remember
// another one.
func (h *repairer) bytesOf(ctx context.Context, name string, size int64) (sum [32]byte, err error) {
	r, err := h.a.Target().Open(ctx, name, 0, size)
	if err != nil {
		return sum, err
	}
	hash := sha256.New()
	n, err := io.Copy(hash, r)
	if err = errors.Join(err, r.Close()); err == nil && n != size {
		err = fmt.Errorf("%d bytes of %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	return [32]byte(hash.Sum(nil)), err
}

// shared lets the goroutines that a Put may have share a stream.
type shared struct {
	mu sync.Mutex
	*archive.Stream
}

func (s *shared) ReadAt(b []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Stream.ReadAt(b, off)
}
