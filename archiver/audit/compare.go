package audit

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/segment"
)

// inspectors is how many objects are looked at at a time.
const inspectors = 8

// compare checks that what is named is there, and that what is there is what was shipped.
func (d *auditor) compare(ctx context.Context) error {
	var there []segment.Ref
	for _, ref := range d.chain() {
		if d.weigh(ref) {
			there = append(there, ref)
		}
	}
	return parallel.Each(ctx, inspectors, len(there), func(ctx context.Context, i int) error {
		return d.inspect(ctx, there[i])
	})
}

// chain returns every segment of the chain that anything knows of, in order.
func (d *auditor) chain() []segment.Ref {
	all := map[segment.Ref]bool{}
	for _, set := range []segment.Set{d.named, d.retired} {
		for ref := range set.All() {
			all[ref] = true
		}
	}
	for _, refs := range [][]segment.Ref{slices.SortedFunc(maps.Keys(d.local), segment.Ref.Compare), slices.SortedFunc(maps.Keys(d.objects), segment.Ref.Compare), slices.SortedFunc(maps.Keys(d.noted), segment.Ref.Compare), slices.SortedFunc(maps.Keys(d.spoiled), segment.Ref.Compare)} {
		for _, ref := range refs {
			all[ref] = true
		}
	}
	return slices.DeleteFunc(slices.SortedFunc(maps.Keys(all), segment.Ref.Compare), func(ref segment.Ref) bool { return !d.onChain(ref) })
}

// weigh checks that a segment is where it should be, and reports whether there is an object to
// inspect.
func (d *auditor) weigh(ref segment.Ref) bool {
	_, object := d.objects[ref]
	_, receipt := d.noted[ref]
	_, local := d.local[ref]
	spoiled := d.spoiled[ref]
	if spoiled != nil {
		d.find(BadReceipt, ref, d.rewrites(local, AskByRepair), "%v", spoiled)
	}
	if !d.known(ref) && !local {
		d.unnamed(ref, object, receipt)
		return false
	}
	d.rep.Segments++
	if receipt {
		d.rep.Receipts++
	}
	switch {
	case d.gone[ref]:
		d.rep.Gone++ // what is there still, the prune's second phase deletes
		if d.needed.Has(ref) {
			d.find(GivenUp, ref, archive.PutBack, "its tip was given up by a prune, and the store still needs it")
		}
	case object:
		if d.gaps[ref] {
			d.note("the gap %v was accepted, and the object is there again", ref)
		}
		if !receipt && spoiled == nil {
			d.find(NoReceipt, ref, d.rewrites(local, AskByShipping), "the object is there, and nothing says that it is the right one")
		}
		return true
	case d.gaps[ref]:
		d.rep.Gaps++
	default:
		d.absent(ref, receipt, local)
	}
	return false
}

// rewrites returns the remedy for an object without a sound receipt: ask if the store has the
// segment.
func (d *auditor) rewrites(local bool, ask segment.Remedy) segment.Remedy {
	if local {
		return ask
	}
	return ReadAll
}

// unnamed finds what is there though nothing on the chain names it.
func (d *auditor) unnamed(ref segment.Ref, object, receipt bool) {
	switch {
	case d.gone[ref]: // with all that named it
	case object:
		d.find(Extra, ref, LookAndMove, "nothing on the store's chain names it")
	case receipt:
		d.find(Stray, ref, "look at the receipt, and remove it", "nothing on the store's chain names the segment, and no object is there")
	}
}

// absent finds a segment of which the archive has no object.
func (d *auditor) absent(ref segment.Ref, receipt, local bool) {
	shipped := d.noted[ref].Shipped.Format("2006-01-02 15:04:05Z")
	switch {
	case receipt && local:
		d.missing(Lost, ref, archive.PutBack, "it was there on %s", shipped)
	case receipt:
		d.missing(Lost, ref, AcceptGap, "it was there on %s, and the store does not have the segment", shipped)
	case local:
		d.missing(Unshipped, ref, Ship, "it is in the store only")
	case !d.named.Has(ref) && d.unsealed[ref.ID]:
		d.note("log %v is not of the store's set and was left alone; it is not sealed, so it is not shipped", ref)
		d.rep.Segments--
	case d.waiting[ref]:
		d.missing(Unshipped, ref, SealAndShip, "it is in the store only, and waits for its seal")
	default:
		d.missing(Missing, ref, AcceptGap, "the store's chain names it, and it is neither in the store nor in the archive, nor is there a receipt")
	}
}

// missing is find for a segment that the archive does not have, so that its sequence
// numbers are missing as well.
func (d *auditor) missing(kind string, ref segment.Ref, next segment.Remedy, format string, args ...any) {
	d.lost[ref] = true
	d.find(kind, ref, next, format, args...)
}

// inspect compares an object, and the store's segment, with the receipt.
func (d *auditor) inspect(ctx context.Context, ref segment.Ref) error {
	name := archive.SegmentName(d.store, ref)
	var info target.Info
	err := target.Persist(ctx, target.Allowance(d.objects[ref].Size), func(ctx context.Context) (err error) {
		info, err = d.look(ctx, ref, name)
		return err
	})
	newer := errors.Is(err, segment.ErrVersion)
	problem, err := archive.ProblemOf(err)
	if err != nil {
		return err
	}
	next := segment.Remedy("look at the object and move it away by hand; a copy of the archive may hold the right one")
	if _, local := d.local[ref]; newer {
		next = segment.UseNewer
	} else if local {
		next = archive.PutBack
	}
	rec, noted := d.noted[ref]
	switch {
	case problem != "":
		d.find(Damaged, ref, next, "%s: %s", d.a.At(name), problem)
	case noted && (info.Size != rec.Size || info.SHA256 != rec.SHA256):
		d.find(Differs, ref, next, "%s has %d bytes of SHA-256 %v; what was shipped had %d of %v",
			d.a.At(name), info.Size, segment.Digest(info.SHA256), rec.Size, rec.SHA256)
	}
	d.mu.Lock()
	d.rep.Objects++
	d.rep.Bytes += info.Size
	d.mu.Unlock()
	if !noted { // then the store's segment is compared with the object instead
		rec = receipt.Receipt{Size: info.Size, SHA256: info.SHA256}
	}
	return d.inspectLocal(ctx, ref, &rec)
}

// look asks the target for size and hash, or reads all bytes.
func (d *auditor) look(ctx context.Context, ref segment.Ref, name string) (target.Info, error) {
	if !d.o.Data {
		return d.a.Target().Sum(ctx, name)
	}
	info, err := d.a.Target().Stat(ctx, name)
	if err != nil {
		return info, err
	}
	info.SHA256, err = d.a.VerifyObject(ctx, d.store, ref, info.Size, d.o.OnRead)
	return info, err
}

// inspectLocal compares the store's segment with what was shipped.
func (d *auditor) inspectLocal(ctx context.Context, ref segment.Ref, want *receipt.Receipt) error {
	g, ok := d.local[ref]
	if !ok {
		return nil
	}
	if g.Size != want.Size {
		d.find(Local, ref, RepairStore, "%s has %d bytes; what was shipped had %d", g.Name, g.Size, want.Size)
		return nil
	}
	if !d.o.Data {
		return nil
	}
	_, sum, err := d.source.Verify(ctx, g.Name)
	_, corrupt := errors.AsType[*segment.CorruptError](err)
	switch {
	case errors.Is(err, target.ErrNotExist): // removed since
	case corrupt:
		d.find(Local, ref, RepairStore, "%v", err)
	case err != nil:
		return err
	case sum != want.SHA256:
		d.find(Local, ref, RepairStore, "%s has SHA-256 %v; what was shipped had %v", g.Name, segment.Digest(sum), want.SHA256)
	}
	return nil
}

// seqRange is the range of sequence numbers of a log.
type seqRange struct {
	ref         segment.Ref
	first, last uint64
}

// sequence proves that the logs of the chain follow each other without a gap.
func (d *auditor) sequence(ctx context.Context) error {
	logs, err := d.spans(ctx)
	if err != nil {
		return err
	}
	due, before := uint64(1), segment.Ref{}
	for _, l := range logs {
		if l.first > due && !d.explained(before, l.ref) {
			next := AcceptGap
			if before.ID+1 == l.ref.ID {
				next = LookAtFiles
			}
			d.find(Sequence, l.ref, next, "it begins with sequence number %d where %d is due: the numbers between are in no log", l.first, due)
		}
		if l.first < due && !d.named.Has(l.ref) && l.ref != d.newest.Ref {
			continue // retired only: perhaps a log that was left alone
		}
		if l.first < due {
			d.find(Sequence, l.ref, LookAtBoth,
				"it begins with sequence number %d, which log %v has already: %d is due", l.first, before, due)
		}
		due, before = max(due, l.last+1), l.ref
	}
	d.rep.LastSeq = due - 1
	return nil
}

// spans returns the logs of the chain that can be read, in order; a log that was pruned is not
// among them.
func (d *auditor) spans(ctx context.Context) ([]seqRange, error) {
	var logs []seqRange
	for _, ref := range slices.SortedFunc(maps.Keys(d.headers), segment.Ref.Compare) {
		h := d.headers[ref]
		if h == nil || h.Kind != segment.Log || !d.onChain(ref) || !d.known(ref) {
			continue
		}
		l := seqRange{ref, h.FirstSeq, 0}
		if r, ok := d.noted[ref]; ok {
			l.last = r.LastSeq
		} else if s, err := d.summary(ctx, ref); err != nil {
			return nil, err
		} else if s == nil {
			d.lost[ref] = true
			continue // found damaged
		} else {
			l.last = s.LastSeq
		}
		logs = append(logs, l)
	}
	if d.open {
		logs = append(logs, seqRange{d.newest.Ref, d.newest.FirstSeq, d.newest.FirstSeq - 1})
	}
	return logs, nil
}

// summary reads what a log without a receipt says of itself; nil if that cannot be
// trusted.
func (d *auditor) summary(ctx context.Context, ref segment.Ref) (*segment.Summary, error) {
	var f *segment.Footer
	var err error
	if g, ok := d.local[ref]; ok {
		src, err := d.source.Open(g.Name)
		if err == nil {
			defer src.Close()
			if r, err := segment.NewReader(src, src.Size); err == nil {
				if f, err = r.OpenFooter(); err == nil {
					return &f.Summary, nil
				}
			}
		}
	}
	s, ok := d.objects[ref]
	if !ok {
		return nil, nil
	}
	err = target.Persist(ctx, target.Allowance(0), func(ctx context.Context) (err error) {
		f, err = d.a.Footer(ctx, d.store, s)
		return err
	})
	if err == nil {
		return &f.Summary, nil
	}
	_, err = archive.ProblemOf(err)
	return nil, err
}

// explained reports whether segments between two logs are known to be missing:
// pruned, accepted, or found already.
func (d *auditor) explained(after, before segment.Ref) bool {
	for _, set := range []map[segment.Ref]bool{d.gone, d.gaps, d.lost} {
		for ref := range set {
			if ref.ID > after.ID && ref.ID < before.ID && d.reach[ref.Timeline] >= ref.ID {
				return true
			}
		}
	}
	for ref := range d.headers {
		if h := d.headers[ref]; h == nil && ref.ID > after.ID && ref.ID < before.ID {
			return true // unreadable, and found so
		}
	}
	return false
}
