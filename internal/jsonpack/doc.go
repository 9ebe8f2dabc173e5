// Package jsonpack turns JSON into msgpack and back, exactly: what cannot come back as it was
// is refused, or said in another way.
//
// Into msgpack there is one form, the canonical one: names of fields in bytewise order at all
// depths, each integer in its shortest form, all other numbers as float64. So two objects are the same
// if their bytes are, and whatever is written as JSON is made into the very same bytes again.
// A number that would not come back as the decimal that was written, a field that stands twice,
// and what is no UTF-8 is refused, with its line.
//
// Neither way makes a tree: JSON is kept as its text, with the places of the containers in
// it, and msgpack is walked over where it stands. So a value takes little memory beyond its
// text, and no length that is read is ever allocated.
//
// The package knows nothing of stores, files and commands. It is not a general JSON or msgpack
// library: of msgpack it knows what JSON has.
package jsonpack
