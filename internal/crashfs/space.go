package crashfs

// unlimited is what Free returns where there is no limit.
const unlimited = 1 << 50

// SetFree leaves room for n more bytes. Names and folders take none. A negative
// n takes the limit away.
func (f *FS) SetFree(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n >= 0 {
		n += f.used()
	}
	f.commit(change{kind: opCapacity, off: max(n, -1)})
}

// Free returns the bytes that can still be written.
func (f *FS) Free() (n int64, err error) {
	err = f.plain(Op{Kind: OpFree, Name: "."}, func() error {
		n = f.free()
		return nil
	})
	return n, err
}

// free is Free under the mutex.
func (f *FS) free() int64 {
	if f.capacity < 0 {
		return unlimited
	}
	return max(f.capacity-f.used(), 0)
}

// used sums up the files that have a name, or are open. As on a real disk the
// room of a removed file is free once it is closed.
func (f *FS) used() (n int64) {
	for _, in := range f.inodes {
		if in.links > 0 || in.handles > 0 {
			n += in.room()
		}
	}
	return n
}

// fits returns how many of n bytes can be written at off.
func (f *FS) fits(in *inode, off int64, n int) int {
	grow := off + int64(n) - in.room()
	if f.capacity < 0 || grow <= 0 {
		return n
	}
	return max(n-int(max(grow-f.free(), 0)), 0)
}
