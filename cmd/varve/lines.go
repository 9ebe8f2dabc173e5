package main

import (
	"slices"
	"strings"
)

// leaves takes errors that were only joined apart, at all depths.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	j, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	parts := j.Unwrap()
	var all []error
	var texts []string
	for _, p := range parts {
		all, texts = append(all, leaves(p)...), append(texts, p.Error())
	}
	if err.Error() != strings.Join(texts, "\n") {
		return []error{err} // it says more than they do
	}
	return all
}

// errorLines writes an error for people: a line for each of the errors that were joined,
// and none that another one says too.
func errorLines(err error) (lines []string) {
	for _, e := range leaves(err) {
		line := oneLine(e)
		if slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, line) }) {
			continue
		}
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(line, l) })
		lines = append(lines, line)
	}
	return lines
}
