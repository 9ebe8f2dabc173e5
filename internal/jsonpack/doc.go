// Package jsonpack turns JSON into msgpack and back, exactly. A value that would not come back as
// it was is refused.
//
// There is one form of msgpack, the canonical one: the names of fields in bytewise order at
// all depths, each integer in its shortest form, all other numbers as float64. So two objects
// are the same if their bytes are, and JSON that was written from msgpack becomes the very
// same bytes again. Three things are refused, with their line: a number that would not come
// back as the decimal that was written, a field that stands twice, and what is not UTF-8.
//
// Neither way builds a tree. JSON is kept as its text, with the places of the containers in
// it, and msgpack is read where it stands. So a value takes little memory beyond its text, and
// no length that is read is ever allocated.
//
// The package knows nothing of stores, files and commands. It is not a general JSON or msgpack
// library: of msgpack it knows what JSON has.
package jsonpack
