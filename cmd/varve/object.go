package main

import (
	"github.com/varve-db/varve/internal/jsonpack"
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
func objectLine(l *jsonpack.Line, o *store.Object) {
	l.Bytes("key", o.Key)
	l.Int("size", int64(len(o.Value)))
	content, exact := "raw", false
	if o.Content == store.Msgpack {
		content = "msgpack"
		exact = jsonpack.Exact(o.Value)
	}
	l.Text("content", content)
	if exact {
		l.Packed("object", o.Value)
	} else {
		l.Bytes("value", o.Value)
	}
	l.Meta(o.Meta)
	l.Int("seq", int64(o.Seq))
	l.End()
}
