package crashfs

import (
	"io/fs"
	"slices"
)

// inode is a file or a folder, apart from its name.
type inode struct {
	ino   uint64
	birth int64
	dir   bool

	changed int64 // the last change of anything

	mode     fs.FileMode // permission bits as they are
	diskMode fs.FileMode // and as they are on the disk

	// data is what reads see. Its first frozen bytes are shared with disk, or
	// with another FS, and are never changed in place; only this inode may append.
	data   []byte
	frozen int

	disk   []byte  // what is durable; never changed in place
	writes []write // what is not, oldest first
	lost   bool    // a failed Sync took bytes that data still shows

	reserved int64
	links    int // how many names it has
	handles  int
}

// write is one unsynced write. Its bytes are never changed.
type write struct {
	op  int
	off int64
	p   []byte
}

// end returns the offset after the write's last byte.
func (w write) end() int64 { return w.off + int64(len(w.p)) }

// room returns the bytes that the file takes from the disk.
func (in *inode) room() int64 { return max(int64(len(in.data)), in.reserved) }

// write puts p, which must not change afterwards, at off.
func (in *inode) write(op int, off int64, p []byte) {
	if off < int64(in.frozen) {
		in.data, in.frozen = append([]byte(nil), in.data...), 0
	}
	in.data = overwrite(in.data, off, p)
	in.writes = append(in.writes, write{op, off, p})
}

// overwrite puts p at off in b, growing it as needed, with zeros in a gap.
func overwrite(b []byte, off int64, p []byte) []byte {
	if gap := off - int64(len(b)); gap > 0 {
		b = append(b, make([]byte, gap)...)
	}
	n := copy(b[off:], p)
	return append(b, p[n:]...)
}

// sync makes everything written durable, but for what an earlier failed sync lost.
func (in *inode) sync() {
	in.diskMode = in.mode
	if in.lost {
		disk := append([]byte(nil), in.disk...)
		for _, w := range in.writes {
			disk = overwrite(disk, w.off, w.p)
		}
		in.disk = disk
	} else {
		in.disk = in.freeze()
	}
	in.writes = nil
}

// syncFailed marks everything unsynced as clean, and so loses it.
func (in *inode) syncFailed() {
	in.lost = in.lost || len(in.writes) > 0
	in.writes = nil
}

// set replaces the content, durably.
func (in *inode) set(b []byte) {
	in.data, in.disk, in.frozen = b, b, len(b)
	in.data = in.data[:len(b):len(b)]
	in.writes, in.lost = nil, false
}

// setStart replaces the first bytes of the content, durably, and leaves the rest as it is.
func (in *inode) setStart(b []byte) {
	in.disk = overwrite(slices.Clone(in.disk), 0, b)
	in.data, in.frozen = overwrite(slices.Clone(in.data), 0, b), 0
}

// freeze returns the present content, which the caller may keep.
func (in *inode) freeze() []byte {
	n := len(in.data)
	in.frozen = n
	return in.data[:n:n]
}

// clone returns a copy that shares the bytes and has no handles.
func (in *inode) clone() *inode {
	c := *in
	c.data = in.freeze()
	c.frozen = len(c.data)
	c.writes = in.writes[:len(in.writes):len(in.writes)]
	c.handles = 0
	return &c
}
