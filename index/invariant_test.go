package index

import (
	"bytes"
	"fmt"
	"slices"
)

// check returns the first invariant that does not hold, or nil.
func (x *Index) check() error {
	n, leaves, seps := 0, 0, int64(0)
	live := map[uint32]Live{}
	chunkLive := map[int]int32{}
	var prev []byte
	var err error
	fail := func(format string, args ...any) bool {
		err = fmt.Errorf(format, args...)
		return false
	}
	k := x.arena.chunks
	first := true
	x.dir.ascend(x.dir.find(nil), func(e entry) bool {
		f, sep := e.leaf, e.sep()
		leaves++
		seps += int64(len(sep))
		if first != (sep == "") {
			return fail("leaf %d has the separator %q", leaves, sep)
		}
		if f.n == 0 && x.n > 0 {
			return fail("leaf %q is empty", sep)
		}
		if f.epoch > x.snaps.epoch {
			return fail("leaf %q is of the future", sep)
		}
		for i := range f.len() {
			key := f.key(k, i)
			if (n > 0 || i > 0) && bytes.Compare(prev, key) >= 0 {
				return fail("key %.40q after %.40q", key, prev)
			}
			if string(key) < sep {
				return fail("key %.40q below the separator %.40q", key, sep)
			}
			if i == 0 && !first && string(prev) >= sep {
				return fail("key %.40q not below the next separator %.40q", prev, sep)
			}
			if !bytes.HasPrefix(key, f.shared(k)) {
				return fail("key %.40q does not begin with the common %.40q", key, f.shared(k))
			}
			if f.prefix[i] != prefixAt(key, int(f.skip)) {
				return fail("key %.40q has the prefix %x at %d", key, f.prefix[i], f.skip)
			}
			prev = key
			l := live[f.loc(i).Slot]
			l.Records++
			l.Bytes += f.loc(i).Size
			live[f.loc(i).Slot] = l
			chunkLive[f.ref40(i).chunk()] += int32(lengthSize + len(key))
		}
		n += f.len()
		first = false
		return true
	})
	if err != nil {
		return err
	}
	if n != x.n || leaves != x.leaves || seps != x.dir.seps {
		return fmt.Errorf("%d keys, %d leaves, %d bytes in separators; counted %d, %d, %d", n, leaves, seps, x.n, x.leaves, x.dir.seps)
	}
	return firstError(x.dir.check(), x.checkArena(chunkLive), x.checkSlots(live))
}

// check looks at the pages.
func (d *directory) check() error {
	pages := 0
	last := ""
	var err error
	d.tree.Ascend(func(t top) bool {
		p := t.page
		pages++
		switch {
		case p.n < 1 || p.n > pageCap:
			err = fmt.Errorf("page %q has %d entries", t.sep, p.n)
		case t.sep != p.sep[0] || t.prefix != d.base.prefix([]byte(t.sep)):
			err = fmt.Errorf("page of %q stands at %q, %x", p.sep[0], t.sep, t.prefix)
		case p.epoch > d.snaps.epoch:
			err = fmt.Errorf("page %q is of the future", t.sep)
		}
		for i := 0; i < pageCap && err == nil; i++ {
			s := p.sep[i]
			switch {
			case i >= p.n:
				if s != "" || p.leaf[i] != nil {
					err = fmt.Errorf("page %q holds on to %q behind its end", t.sep, s)
				}
			case (pages > 1 || i > 0) && s <= last:
				err = fmt.Errorf("separator %q after %q", s, last)
			case p.prefix[i] != p.base.prefix([]byte(s)):
				err = fmt.Errorf("separator %q has the prefix %x behind %q", s, p.prefix[i], p.base)
			case d.snaps.see(p.epoch) && !d.snaps.see(p.leaf[i].epoch):
				err = fmt.Errorf("page %q is seen by a snapshot that does not see its leaf %q", t.sep, s)
			default:
				last = s
			}
		}
		return err == nil
	})
	if err == nil && pages != d.pages {
		err = fmt.Errorf("%d pages, counted %d", pages, d.pages)
	}
	return firstError(err, d.checkFlat())
}

// checkFlat compares the flat directory with the tree.
func (d *directory) checkFlat() error {
	if d.tree.Len() > maxFlat {
		if len(d.flat.page) != 0 {
			return fmt.Errorf("a directory of %d pages has a flat one of %d", d.tree.Len(), len(d.flat.page))
		}
		return nil
	}
	f := flat{}
	d.tree.Ascend(func(t top) bool {
		f.prefix, f.page = append(f.prefix, t.prefix), append(f.page, t.page)
		return true
	})
	if !slices.Equal(f.prefix, d.flat.prefix) || !slices.Equal(f.page, d.flat.page) {
		return fmt.Errorf("the flat directory has %d pages, not those of the tree, %d", len(d.flat.page), len(f.page))
	}
	return nil
}

func (x *Index) checkArena(chunkLive map[int]int32) error {
	var held, used, live int64
	for c, b := range x.arena.chunks {
		m := x.arena.meta[c]
		if m.live != chunkLive[c] {
			return fmt.Errorf("chunk %d has %d bytes alive, counted %d", c, chunkLive[c], m.live)
		}
		if c != x.arena.cur && b != nil && m.live == 0 {
			return fmt.Errorf("chunk %d is dead and was not dropped", c)
		}
		if c != x.arena.cur && m.live < m.used/2 && !m.queued {
			return fmt.Errorf("chunk %d has %d of %d bytes alive and is not queued", c, m.live, m.used)
		}
		held += int64(len(b))
		used += int64(m.used)
		live += int64(m.live)
	}
	if a := &x.arena; held != a.held || used != a.used || live != a.live {
		return fmt.Errorf("arena holds %d, used %d, live %d; counted %d, %d, %d", held, used, live, a.held, a.used, a.live)
	}
	return nil
}

func (x *Index) checkSlots(live map[uint32]Live) error {
	for p, page := range x.slots.pages {
		if page == nil {
			continue
		}
		for i, l := range page {
			if slot := uint32(p*slotPage + i); l != live[slot] {
				return fmt.Errorf("slot %d: counted %+v, has %+v", slot, l, live[slot])
			}
		}
	}
	for slot, l := range live {
		if x.Live(slot) != l {
			return fmt.Errorf("slot %d: counted %+v, has %+v", slot, x.Live(slot), l)
		}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
