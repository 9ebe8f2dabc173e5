package main

import (
	"bytes"
	"errors"
	"io/fs"
	"time"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
)

// attrs is what import keeps of a file beside its content. As an object's meta it is
// a canonical msgpack map: "mode", the st_mode of Unix with type and
// permissions; "mtime", nanoseconds since 1970; and of a symbolic link "link", its
// target, a string or, if it is no UTF-8, bytes.
type attrs struct {
	mode  fs.FileMode
	mtime int64
	link  string
}

// attrsOf returns the attrs of a file; the link is not looked at.
func attrsOf(info fs.FileInfo) (attrs, error) {
	t := info.ModTime()
	ns := t.UnixNano()
	if !time.Unix(0, ns).Equal(t) {
		return attrs{}, errors.New("its modification time is beyond the years 1678 to 2262")
	}
	return attrs{mode: info.Mode(), mtime: ns}, nil
}

// encode returns the attrs as meta.
func (a *attrs) encode() ([]byte, error) {
	var b bytes.Buffer
	e := msgpack.NewEncoder(&b)
	link := a.mode&fs.ModeSymlink != 0
	n := 2
	if link {
		n = 3
	}
	err := e.EncodeMapLen(n)
	if link {
		err = errors.Join(err, e.EncodeString("link"))
		if utf8.ValidString(a.link) {
			err = errors.Join(err, e.EncodeString(a.link))
		} else {
			err = errors.Join(err, e.EncodeBytes([]byte(a.link)))
		}
	}
	err = errors.Join(err, e.EncodeString("mode"), e.EncodeUint(uint64(unixMode(a.mode))))
	err = errors.Join(err, e.EncodeString("mtime"), e.EncodeInt(a.mtime))
	return b.Bytes(), err
}

// parseAttrs returns the attrs that meta says, and whether it says any: meta of
// another form is not import's.
func parseAttrs(meta []byte) (attrs, bool) {
	var a attrs
	d := msgpack.NewDecoder(bytes.NewReader(meta))
	n, err := d.DecodeMapLen()
	if err != nil || n < 2 || n > 3 {
		return a, false
	}
	for range n {
		name, err := d.DecodeString()
		if err != nil {
			return a, false
		}
		switch name {
		case "link":
			a.link, err = d.DecodeString()
		case "mode":
			var m uint32
			m, err = d.DecodeUint32()
			a.mode = fileMode(m)
		case "mtime":
			a.mtime, err = d.DecodeInt64()
		}
		if err != nil {
			return a, false
		}
	}
	again, err := a.encode()
	return a, err == nil && bytes.Equal(again, meta)
}

// The bits of st_mode that are the same on every Unix.
const (
	unixType    = 0o170000
	unixDir     = 0o040000
	unixRegular = 0o100000
	unixSymlink = 0o120000
	unixSetuid  = 0o4000
	unixSetgid  = 0o2000
	unixSticky  = 0o1000
)

// unixMode returns the st_mode of a file, directory or symbolic link.
func unixMode(m fs.FileMode) uint32 {
	u := uint32(m.Perm())
	for _, b := range []struct {
		mode fs.FileMode
		unix uint32
	}{{fs.ModeSetuid, unixSetuid}, {fs.ModeSetgid, unixSetgid}, {fs.ModeSticky, unixSticky}} {
		if m&b.mode != 0 {
			u |= b.unix
		}
	}
	switch m.Type() {
	case fs.ModeDir:
		return u | unixDir
	case fs.ModeSymlink:
		return u | unixSymlink
	}
	return u | unixRegular
}

// fileMode is the inverse of unixMode.
func fileMode(u uint32) fs.FileMode {
	m := fs.FileMode(u & 0o777)
	if u&unixSetuid != 0 {
		m |= fs.ModeSetuid
	}
	if u&unixSetgid != 0 {
		m |= fs.ModeSetgid
	}
	if u&unixSticky != 0 {
		m |= fs.ModeSticky
	}
	switch u & unixType {
	case unixDir:
		m |= fs.ModeDir
	case unixSymlink:
		m |= fs.ModeSymlink
	}
	return m
}
