package crashfs

import (
	"cmp"
	"encoding/binary"
	"io/fs"
	"math/rand/v2"
	"slices"
)

// sector is what a disk writes as one.
const sector = 512

// drawing draws what the files hold after one power cut.
type drawing struct {
	rng   *rand.Rand
	kind  DataKind
	stale [][]byte // what may stand in free blocks

	// Of the kinds in order: the writes before operation op are kept, and the
	// first keep bytes of op's own.
	op   int
	keep int64
}

// point draws a point in the order of the unsynced writes of the files kept.
func (d *drawing) point(kept map[*inode]bool, all []*inode) {
	var order []write
	for _, in := range all {
		if kept[in] {
			order = append(order, in.writes...)
		}
	}
	if len(order) == 0 {
		return
	}
	slices.SortFunc(order, func(a, b write) int { return cmp.Compare(a.op, b.op) })
	w := order[d.rng.IntN(len(order))]
	d.op, d.keep = w.op, d.rng.Int64N(int64(len(w.p))+1)
	switch d.kind {
	case DataPrefix:
		if d.keep = 0; d.rng.IntN(2) == 0 {
			d.keep = int64(len(w.p))
		}
	case DataTornSector:
		// The tear lies at a multiple of 512 in the file, not in the write.
		d.keep = max((w.off+d.keep)/sector*sector-w.off, 0)
	}
}

// mode draws the permission bits.
func (d *drawing) mode(in *inode, kind NameKind) fs.FileMode {
	switch {
	case kind == NamesNone:
		return in.diskMode
	case kind == NamesAll || in.mode == in.diskMode || d.rng.IntN(2) == 0:
		return in.mode
	}
	return in.diskMode
}

// content draws what a file holds.
func (d *drawing) content(in *inode) []byte {
	if len(in.writes) == 0 {
		return in.disk
	}
	if d.kind != DataMixed {
		return d.contentOf(in, d.kind)
	}
	b := d.contentOf(in, DataKind(d.rng.IntN(int(DataMixed))))
	if grown := len(b) - len(in.disk); grown > 0 && d.rng.IntN(3) == 0 {
		b = b[:len(in.disk)+d.rng.IntN(grown+1)]
	}
	return b
}

func (d *drawing) contentOf(in *inode, kind DataKind) []byte {
	switch kind {
	case DataNone:
		return in.disk
	case DataAll:
		return in.ordered(in.writes[len(in.writes)-1].op+1, 0)
	case DataPrefix, DataTornByte, DataTornSector:
		return in.ordered(d.op, d.keep)
	}
	return d.scattered(in, kind)
}

// ordered returns what is durable with the writes before an operation, and the
// first bytes of its own.
func (in *inode) ordered(op int, keep int64) []byte {
	b := in.disk[:len(in.disk):len(in.disk)] // appending copies it
	if slices.ContainsFunc(in.writes, func(w write) bool { return w.off < int64(len(b)) }) {
		b = append([]byte(nil), b...)
	}
	for _, w := range in.writes {
		p := w.p
		if w.op == op {
			p = p[:keep]
		}
		if w.op <= op && len(p) > 0 {
			b = overwrite(b, w.off, p)
		}
	}
	return b
}

// scattered returns the file with each sector as of a version of its own: as of
// the last Sync, or as of one of the writes since. What stands where the file
// has grown and the sector was lost depends on the kind.
func (d *drawing) scattered(in *inode, kind DataKind) []byte {
	durable := int64(len(in.disk))
	end, low := durable, in.writes[0].off
	for _, w := range in.writes {
		end, low = max(end, w.end()), min(low, w.off)
	}
	low = min(low, durable)
	first := low / sector
	versions := d.versions(int((end+sector-1)/sector-first), len(in.writes), kind)
	b := make([]byte, end)
	copy(b, in.disk)
	d.fill(b[durable:], durable, kind)
	for s, v := range versions {
		at := (first + int64(s)) * sector
		if from, to := max(at, durable), min(at+sector, end); v > 0 && from < to {
			clear(b[from:to]) // a sector that is kept has zeros behind its bytes
		}
	}
	length := durable
	for i, w := range in.writes {
		for s := w.off / sector; s*sector < w.end(); s++ {
			if i >= versions[s-first] {
				continue
			}
			from, to := max(s*sector, w.off), min((s+1)*sector, w.end())
			copy(b[from:to], w.p[from-w.off:])
			length = max(length, to)
		}
	}
	if kind == DataSectors {
		b = b[:length]
	}
	return b
}

// versions draws how many of the writes each sector has seen.
func (d *drawing) versions(sectors, writes int, kind DataKind) []int {
	v := make([]int, sectors)
	if kind == DataSizeZeros || kind == DataSizeGarbage || kind == DataSizeStale {
		return v
	}
	for i := range v {
		switch d.rng.IntN(5) {
		case 0, 1: // lost
		case 2, 3:
			v[i] = writes
		case 4:
			v[i] = d.rng.IntN(writes + 1)
		}
	}
	return v
}

// fill puts into the grown part of a file, which starts at off, what stood on
// the disk before.
func (d *drawing) fill(b []byte, off int64, kind DataKind) {
	switch kind {
	case DataGarbled, DataSizeGarbage:
		for len(b) > 0 {
			var word [8]byte
			binary.LittleEndian.PutUint64(word[:], d.rng.Uint64())
			b = b[copy(b, word[:]):]
		}
	case DataStale, DataSizeStale:
		for len(b) > 0 && len(d.stale) > 0 {
			n := min(sector-int(off%sector), len(b))
			copy(b[:n], d.block(off))
			b, off = b[n:], off+int64(n)
		}
	}
}

// block draws an old sector, cut to start as far into it as off is into its
// own. Half of them come from the same place of an old file, where they look
// most like what should be there.
func (d *drawing) block(off int64) []byte {
	old := d.stale[d.rng.IntN(len(d.stale))]
	at := off
	if d.rng.IntN(2) == 0 {
		at = int64(d.rng.IntN(len(old)))/sector*sector + off%sector
	}
	if at >= int64(len(old)) {
		return nil
	}
	return old[at:]
}
