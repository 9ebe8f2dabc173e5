package main

import (
	"bytes"
	"fmt"
)

// A sideRow is a figure of one side of an experiment on a stage.
type sideRow struct {
	title  string
	name   string // of the experiment
	side   string
	metric string
	unit   unit
}

// sideRows returns all of them.
func sideRows() []sideRow {
	var all []sideRow
	varve := func(title, name, metric string, u unit) { all = append(all, sideRow{title, name, "varve", metric, u}) }
	for _, level := range []string{"none", "tail", "log", "full"} {
		varve("open at "+level+", page cache", "integrity/open", level, seconds)
	}
	varve("memory of full beyond the open store, pages of files included", "integrity/open", "peak of full, beyond", size)
	varve("check in full, page cache", "integrity/check", "warm", flow)
	all = append(all,
		sideRow{"… sha256sum, 2 processes", "integrity/check", hashing, "warm", flow},
		sideRow{"… crypto/sha256, 2 goroutines", "integrity/check", hashGo, "warm", flow})
	varve("check in full, cold disk", "integrity/check", "cold", flow)
	all = append(all,
		sideRow{"… plain read, 1 reader", "integrity/check", plainly, "cold, 1 reader", flow},
		sideRow{"… plain read, 2 readers", "integrity/check", plainly, "cold, 2 readers", flow})
	varve("… memory, all of the process", "integrity/check", "peak", size)
	for _, g := range growth {
		for _, x := range [][2]string{{"open", "open, check"}, {"check", "open, check"}, {"table", "table"}, {"heal", "heal"}} {
			varve(fmt.Sprintf("growth: %s, %s store", x[0], g.name), "integrity/growth: "+x[1], x[0]+", "+g.name, seconds)
		}
	}
	return append(all, archiveRows()...)
}

// archiveRows are those of package archiver.
func archiveRows() []sideRow {
	var all []sideRow
	varve := func(title, name, metric string, u unit) { all = append(all, sideRow{title, name, "varve", metric, u}) }
	varve("ship to a folder: memory, without pages of files", "archive/ship/dir", "peak, own", size)
	varve("… large segments", "archive/ship/large segments", "peak, own", size)
	varve("… the size of such a segment", "archive/ship/large segments", "segment size", size)
	varve("ship to S3: cores", "archive/ship/s3", "cores", plain)
	varve("… memory", "archive/ship/s3", "peak", size)
	varve("restore: memory", "archive/restore", "peak", size)
	varve("… open of what was restored", "archive/restore", "open", seconds)
	for _, at := range []string{"small", "large"} {
		varve("backup of 64 MiB more, "+at+" store", "archive/incremental", "seconds, "+at, seconds)
		varve("… bytes read", "archive/incremental", "read, "+at, size)
		varve("… bytes written", "archive/incremental", "written, "+at, size)
	}
	for _, at := range []string{"oldest", "middle", "newest"} {
		varve("one object in place, "+at, "archive/one object", "seconds, "+at, seconds)
		varve("… requests", "archive/one object", "requests, "+at, plain)
	}
	for _, mode := range []string{"buffered", "synced"} {
		for _, x := range []string{"rate", "p99.9", "max"} {
			u := map[bool]unit{true: rate, false: seconds}[x == "rate"]
			varve("puts, "+mode+", alone: "+x, "archive/beside/"+mode, x+", alone", u)
			varve("… beside the archiver", "archive/beside/"+mode, x, u)
		}
		varve("… what the archiver sent", "archive/beside/"+mode, "sent", flow)
	}
	for _, place := range []string{"dir", "s3"} {
		varve("backup create, "+place+": shipping the one new segment", "archive/catalog/"+place, "create: ship", seconds)
		varve("… the backup itself", "archive/catalog/"+place, "create: backup", seconds)
		varve("backup prune --dry-run, "+place, "archive/catalog/"+place, "prune, dry", seconds)
		varve("all names of the archive listed, "+place, "archive/catalog/"+place, "names", seconds)
	}
	for _, op := range []string{"list", "create", "prune", "names"} {
		varve("requests of "+op+", s3", "archive/catalog/s3", op+" requests", plain)
	}
	return all
}

// writeSides writes what was measured on stages, and the notes.
func (r *results) writeSides(b *bytes.Buffer) {
	begun := false
	for _, w := range sideRows() {
		v, ok := r.median(w.name, w.side, w.metric)
		if !ok {
			continue
		}
		if !begun {
			b.WriteString("\n| integrity and archive | |\n|---|--:|\n")
			begun = true
		}
		fmt.Fprintf(b, "| %s | %s |\n", w.title, w.unit.format(v))
	}
	if len(r.Notes) > 0 {
		b.WriteString("\n")
	}
	for _, n := range r.Notes {
		fmt.Fprintf(b, "* %s\n", n)
	}
}
