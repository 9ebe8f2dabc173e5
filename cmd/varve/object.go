package main

import (
	"github.com/varve-db/varve/store"
)

// objectHelp documents how get and scan print an object with --json.
const objectHelp = `With --json an object is one line with these fields:
  key, key_b64      the key: a string if it is UTF-8, else base64
  size              bytes of the value
  content           "raw" or "msgpack"
  object            the value, if it is msgpack that JSON says exactly
  value, value_b64  the value otherwise: a string if it is UTF-8, else base64
  meta, meta_b64    what is kept beside the value, if anything: likewise
  seq               the sequence number of the write`

// objectLine writes an object for --json.
func objectLine(l *line, o *store.Object) {
	l.bytes("key", o.Key)
	l.int("size", int64(len(o.Value)))
	content, exact := "raw", false
	if o.Content == store.Msgpack {
		content = "msgpack"
		_, exact = exactJSON(o.Value)
	}
	l.str("content", content)
	if exact {
		l.packed("object", o.Value)
	} else {
		l.bytes("value", o.Value)
	}
	metaField(l, o.Meta)
	l.int("seq", int64(o.Seq))
	l.end()
}

// metaField adds meta: as JSON if it is a map that JSON says exactly.
func metaField(l *line, meta []byte) {
	switch {
	case len(meta) == 0:
	case exactObject(meta):
		l.packed("meta", meta)
	default:
		l.base64("meta", meta)
	}
}
