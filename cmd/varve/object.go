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
func objectLine(l *line, o *store.Object) []byte {
	l.bytes("key", o.Key)
	l.int("size", int64(len(o.Value)))
	content, exact := "raw", false
	if o.Content == store.Msgpack {
		content = "msgpack"
	}
	l.str("content", content)
	if o.Content == store.Msgpack {
		var text []byte
		if text, _, exact = exactJSON(o.Value); exact {
			l.raw("object", text)
		}
	}
	if !exact {
		l.bytes("value", o.Value)
	}
	metaField(l, o.Meta)
	l.int("seq", int64(o.Seq))
	return l.end()
}

// metaField adds meta: as JSON if it is a map that JSON says exactly.
func metaField(l *line, meta []byte) {
	if len(meta) == 0 {
		return
	}
	if text, node, ok := exactJSON(meta); ok && node.kind == objectNode {
		l.raw("meta", text)
		return
	}
	l.base64("meta", meta)
}
