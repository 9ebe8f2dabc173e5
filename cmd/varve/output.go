package main

import "os"

// output is standard output. It remembers the first error of a write, so that no command can
// forget it: run makes it the command's error.
type output struct {
	file *os.File
	err  error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}
