package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage watches what the process uses of the machine.
type usage struct {
	begun time.Time
	cpu   float64
	io    map[string]float64
	quit  chan struct{}
	most  chan float64
}

// watchUsage begins to watch.
func watchUsage() *usage {
	u := &usage{io: ownIO(), cpu: cpuSeconds(), quit: make(chan struct{}), most: make(chan float64)}
	go u.watch()
	u.begun = time.Now()
	return u
}

// watch looks every 2 ms for the memory of the process without the pages of files. (The system
// reports the greatest since the process began only with them.)
func (u *usage) watch() {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	peak := 0.0
	for {
		peak = max(peak, ownMemory())
		select {
		case <-tick.C:
		case <-u.quit:
			u.most <- max(peak, ownMemory())
			return
		}
	}
}

// into ends the watch and adds to f the seconds, the cores that were busy for them on
// the average, the bytes that were read and written by system calls and at the disk, and
// the greatest memory, with and without the pages of files.
func (u *usage) into(f figures) {
	f["seconds"] = time.Since(u.begun).Seconds()
	f["cores"] = (cpuSeconds() - u.cpu) / f["seconds"]
	for name, v := range ownIO() {
		f[name] = v - u.io[name]
	}
	close(u.quit)
	if peak := <-u.most; peak > 0 {
		f["peak, own"] = peak
	}
	if kib, err := strconv.ParseFloat(strings.TrimSuffix(firstField("/proc/self/status", "VmHWM", ""), " kB"), 64); err == nil {
		f["peak"] = kib * 1024
	}
}

// cpuSeconds returns the processor time of the process.
func cpuSeconds() float64 {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}

// ownIO returns what the process has read and written.
func ownIO() map[string]float64 {
	io := map[string]float64{}
	for name, field := range map[string]string{"read": "rchar", "written": "wchar", "read at the disk": "read_bytes", "written at the disk": "write_bytes"} {
		if v, err := strconv.ParseFloat(firstField("/proc/self/io", field, ""), 64); err == nil {
			io[name] = v
		}
	}
	return io
}

// ownMemory returns the resident memory of the process without the pages of files; 0 where the
// system does not report it.
func ownMemory() float64 {
	b, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(b))
	if err != nil || len(fields) < 3 {
		return 0
	}
	all, err1 := strconv.ParseFloat(fields[1], 64)
	shared, err2 := strconv.ParseFloat(fields[2], 64)
	if err1 != nil || err2 != nil {
		return 0
	}
	return (all - shared) * float64(os.Getpagesize())
}
