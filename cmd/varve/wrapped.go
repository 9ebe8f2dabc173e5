package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/varve-db/varve/store"
)

// keyField marks a line that carries its key beside the value. An object of
// the user's that has such a field is never written to a line bare, so that the
// two cannot be taken for each other.
const keyField = "key_b64"

// asKey returns the key that a field's value stands for.
func (n *node) asKey() (string, bool) {
	switch {
	case n.kind == stringNode:
		return n.text, n.text != ""
	case n.kind == numberNode:
		return n.text, !strings.ContainsAny(n.text, ".eE") && n.text != "-0"
	}
	return "", false
}

// wrap writes an object with its key beside it.
func wrap(l *line, o *store.Object) []byte {
	l.base64("key", o.Key)
	if o.Content == store.Msgpack {
		if text, n, ok := exactJSON(o.Value); ok && n.kind == objectNode {
			l.raw("object", text)
			metaField(l, o.Meta)
			return l.end()
		}
	}
	l.base64("value", o.Value)
	if o.Content == store.Msgpack {
		l.str("content", "msgpack")
	}
	metaField(l, o.Meta)
	return l.end()
}

// wrapped makes the object of a line that wrap wrote.
func wrapped(n *node) (o store.Object, err error) {
	has := map[string]bool{}
	for i := range n.members {
		m := &n.members[i]
		has[m.name] = true
		if err := unwrapField(&o, m); err != nil {
			return o, fmt.Errorf("field %s: %w", m.name, err)
		}
	}
	switch {
	case len(o.Key) == 0:
		return o, errors.New("an empty " + keyField)
	case has["object"] == has["value_b64"], has["object"] && has["content"], has["meta"] && has["meta_b64"]:
		return o, errors.New("beside " + keyField + ": want object, or value_b64 and perhaps content; and at most one of meta and meta_b64")
	}
	return o, nil
}

// unwrapField puts what a field of a line says into the object.
func unwrapField(o *store.Object, m *member) (err error) {
	switch m.name {
	case keyField:
		o.Key, err = decodeBase64(&m.value)
	case "value_b64":
		o.Value, err = decodeBase64(&m.value)
	case "meta_b64":
		o.Meta, err = decodeBase64(&m.value)
	case "object", "meta":
		if m.name == "meta" && m.value.kind == nullNode {
			return nil
		}
		if m.value.kind != objectNode {
			return errors.New("want an object")
		}
		packed, err := canonical(&m.value)
		if m.name == "meta" {
			o.Meta = packed
			return err
		}
		o.Value, o.Content = packed, store.Msgpack
		return err
	case "content":
		if m.value.kind != stringNode || m.value.text != "msgpack" && m.value.text != "raw" {
			return errors.New(`want "raw" or "msgpack"`)
		}
		if m.value.text == "msgpack" {
			o.Content = store.Msgpack
		}
	default:
		return errors.New("unknown beside " + keyField)
	}
	return err
}

func decodeBase64(n *node) ([]byte, error) {
	if n.kind != stringNode {
		return nil, errors.New("want base64")
	}
	return base64.StdEncoding.Strict().DecodeString(n.text)
}
