package jsonpack

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/varve-db/varve/segment"
)

// KeyField is the name that marks a line that carries its key beside the value. An object of
// the user's that has such a field is never written to a line bare, so that the
// two cannot be taken for each other.
const KeyField = "key_b64"

// Wrap adds an object with its key beside it, and ends the line.
func (l *Line) Wrap(o *segment.Object) {
	l.Base64("key", o.Key)
	if o.Content == segment.Msgpack && ExactObject(o.Value) {
		l.Packed("object", o.Value)
	} else {
		l.Base64("value", o.Value)
		if o.Content == segment.Msgpack {
			l.Text("content", "msgpack")
		}
	}
	l.Meta(o.Meta)
	l.End()
}

// Unwrap makes the object of a line that Wrap wrote: of an object that has the field
// KeyField. It shares no memory with the value. The error says what the line must not hold.
func (t *Value) Unwrap() (o segment.Object, err error) {
	has := map[string]bool{}
	for name, f := range t.Fields() {
		has[string(name)] = true
		if err := unwrapField(&o, string(name), f); err != nil {
			return o, fmt.Errorf("field %s: %w", name, err)
		}
	}
	switch {
	case len(o.Key) == 0:
		return o, errors.New("an empty " + KeyField)
	case has["object"] == has["value_b64"], has["object"] && has["content"], has["meta"] && has["meta_b64"]:
		return o, errors.New("beside " + KeyField + ": want object, or value_b64 and perhaps content; and at most one of meta and meta_b64")
	}
	return o, nil
}

// unwrapField puts what a field of a line says into the object.
func unwrapField(o *segment.Object, name string, f Field) (err error) {
	switch name {
	case KeyField:
		o.Key, err = f.base64()
	case "value_b64":
		o.Value, err = f.base64()
	case "meta_b64":
		o.Meta, err = f.base64()
	case "object", "meta":
		if name == "meta" && f.first() == 'n' {
			return nil
		}
		if f.first() != '{' {
			return errors.New("want an object")
		}
		packed := f.Pack()
		if name == "meta" {
			o.Meta = packed
			return nil
		}
		o.Value, o.Content = packed, segment.Msgpack
	case "content":
		content, ok := f.text()
		if !ok || string(content) != "msgpack" && string(content) != "raw" {
			return errors.New(`want "raw" or "msgpack"`)
		}
		if string(content) == "msgpack" {
			o.Content = segment.Msgpack
		}
	default:
		return errors.New("unknown beside " + KeyField)
	}
	return err
}

// base64 decodes the base64 that a field is.
func (f Field) base64() ([]byte, error) {
	text, ok := f.text()
	if !ok {
		return nil, errors.New("want base64")
	}
	b := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(b, text)
	return b[:n], err
}
