//go:build !linux

package main

import "os"

// fileSystem names the file system of dir.
func fileSystem(string) string { return "" }

// datasync has a file's data on the disk.
func datasync(f *os.File) error { return f.Sync() }
