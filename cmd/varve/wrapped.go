package main

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/varve-db/varve/store"
)

// keyField marks a line that carries its key beside the value. An object of
// the user's that has such a field is never written to a line bare, so that the
// two cannot be taken for each other.
const keyField = "key_b64"

// wrap writes an object with its key beside it.
func wrap(l *line, o *store.Object) {
	l.base64("key", o.Key)
	if o.Content == store.Msgpack && exactObject(o.Value) {
		l.packed("object", o.Value)
	} else {
		l.base64("value", o.Value)
		if o.Content == store.Msgpack {
			l.str("content", "msgpack")
		}
	}
	metaField(l, o.Meta)
	l.end()
}

// wrapped makes the object of a line that wrap wrote.
func wrapped(t *jsonText) (o store.Object, err error) {
	has := map[string]bool{}
	for at, value := range t.membersAt(t.root) {
		name := string(t.name(at))
		has[name] = true
		if err := unwrapField(&o, t, name, value); err != nil {
			return o, fmt.Errorf("field %s: %w", name, err)
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
func unwrapField(o *store.Object, t *jsonText, name string, v place) (err error) {
	switch name {
	case keyField:
		o.Key, err = decodeBase64(t, v)
	case "value_b64":
		o.Value, err = decodeBase64(t, v)
	case "meta_b64":
		o.Meta, err = decodeBase64(t, v)
	case "object", "meta":
		if name == "meta" && t.raw[v.off] == 'n' {
			return nil
		}
		if t.raw[v.off] != '{' {
			return errors.New("want an object")
		}
		packed := t.encode(v.off, v.block)
		if name == "meta" {
			o.Meta = packed
			return nil
		}
		o.Value, o.Content = packed, store.Msgpack
	case "content":
		content, ok := t.text(v)
		if !ok || string(content) != "msgpack" && string(content) != "raw" {
			return errors.New(`want "raw" or "msgpack"`)
		}
		if string(content) == "msgpack" {
			o.Content = store.Msgpack
		}
	default:
		return errors.New("unknown beside " + keyField)
	}
	return err
}

func decodeBase64(t *jsonText, v place) ([]byte, error) {
	text, ok := t.text(v)
	if !ok {
		return nil, errors.New("want base64")
	}
	b := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(b, text)
	return b[:n], err
}
