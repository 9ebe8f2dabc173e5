package index

import (
	"bytes"
	"fmt"
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
	x.dir.tree.Ascend(func(e entry) bool {
		f := e.leaf
		leaves++
		seps += int64(len(e.sep))
		if first != (len(e.sep) == 0) {
			return fail("leaf %d has the separator %q", leaves, e.sep)
		}
		if e.prefix != x.dir.prefix(e.sep) {
			return fail("separator %q has the prefix %x", e.sep, e.prefix)
		}
		if f.n == 0 && x.n > 0 {
			return fail("leaf %q is empty", e.sep)
		}
		if f.epoch > x.epoch {
			return fail("leaf %q is of the future", e.sep)
		}
		for i := range f.len() {
			key := f.key(k, i)
			if (n > 0 || i > 0) && bytes.Compare(prev, key) >= 0 {
				return fail("key %.40q after %.40q", key, prev)
			}
			if bytes.Compare(key, e.sep) < 0 {
				return fail("key %.40q below the separator %.40q", key, e.sep)
			}
			if i == 0 && !first && bytes.Compare(prev, e.sep) >= 0 {
				return fail("key %.40q not below the next separator %.40q", prev, e.sep)
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
	return firstError(x.checkArena(chunkLive), x.checkSlots(live))
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
