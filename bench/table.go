package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
)

// A row is a figure of all stores, side by side.
type row struct {
	title  string
	name   string // of the experiment
	metric string
	unit   unit
}

// rows returns all of them.
func rows() []row {
	var all []row
	add := func(title, name, metric string, u unit) { all = append(all, row{title, name, metric, u}) }
	eachData(func(k keyKind, v int, what string) {
		add("put, unsynced"+what, caseName("put", k, v), "rate", rate)
		add("… until it is on the disk", caseName("put", k, v), "written", rate)
	})
	add("put, synced, 1 writer, 1 KiB", "synced/1 writer", "rate", rate)
	add("put, synced, 64 writers, 1 KiB", "synced/64 writers", "rate", rate)
	add("load, batches of 1000 × 1 KiB, unsynced", "load/unsynced", "rate", rate)
	add("… until it is on the disk", "load/unsynced", "written", rate)
	add("load, batches of 1000 × 1 KiB, synced", "load/synced", "rate", rate)
	eachData(func(k keyKind, v int, what string) {
		for _, readers := range []string{"1 reader", "2 readers"} {
			add("get, a copy"+what+", "+readers, caseName("get", k, v), readers[:1]+" copied", rate)
			add("… lent", caseName("get", k, v), readers[:1]+" lent", rate)
		}
	})
	eachData(func(k keyKind, v int, what string) {
		add("scan, values touched"+what, caseName("scan", k, v), "rate", rate)
	})
	for _, k := range []keyKind{random, shared} {
		add(fmt.Sprintf("open, %s, 128 B", k), caseName("open", k, 128), "seconds", seconds)
		add("… after kill -9 and a quarter more", caseName("killed", k, 128), "seconds", seconds)
		add("… resident, own", caseName("open", k, 128), "resident, own", size)
	}
	for _, k := range []keyKind{random, shared, ascending} {
		add(fmt.Sprintf("resident after puts, own, %s, 128 B", k), caseName("memory", k, 128), "resident, own", size)
	}
	for _, p := range []string{"p50", "p99.9", "max"} {
		add("put, unsynced: "+p, caseName("stall", random, 128), p, seconds)
	}
	return all
}

// eachData calls do for each kind of key and size of value.
func eachData(do func(keys keyKind, v int, what string)) {
	for _, keys := range []keyKind{random, shared} {
		for _, v := range sizes {
			do(keys, v, fmt.Sprintf(", %s, %s", keys, sizeName(v)))
		}
	}
}

// write appends both tables as Markdown.
func (r *results) write(b *bytes.Buffer) {
	r.writeTargets(b)
	b.WriteString("\n")
	r.writeRows(b)
	r.writeSides(b)
	b.WriteString("\n")
	var vs []string
	for _, k := range kinds {
		if v, ok := r.Versions[k.name]; ok && k.name != "pebble-large" {
			vs = append(vs, k.name+" "+v)
		}
	}
	m := &r.Machine
	if r.Keys != fullKeys {
		fmt.Fprintf(b, "The targets are set for %d keys; this run with another number says little of them.\n", fullKeys)
	}
	fmt.Fprintf(b, "%d keys of 16 bytes; rounds: %d, of which the median, for the stores that targets name, else 1. %s; %s, %d cores, %s; %s, %s; %s; %s.\n",
		r.Keys, r.Rounds, r.Date.Format("2006-01-02"), m.CPU, m.Cores, m.Memory, m.Kernel, m.FileSystem, m.Go, strings.Join(vs, ", "))
	b.WriteString("`get` hands out a copy of the value, of bbolt's from its map too; `lent` does without where the store can. " +
		"pebble-large has memtables of 64 MiB and a cache of 256 MiB; all others have their defaults. Unsynced, varve syncs within a second (`SyncEvery(1s)`) and its peers never by themselves. pogreb is a hash table: its scan has no order.\n")
}

// writeTargets writes the targets, and what came of them.
func (r *results) writeTargets(b *bytes.Buffer) {
	b.WriteString("| target | varve | beside | ratio | wanted | |\n|---|--:|--:|--:|--:|---|\n")
	for _, t := range targets() {
		v, ok := t.judge(r)
		if !ok {
			continue
		}
		word := "short"
		if v.pass {
			word = "PASS"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", t.titleIn(r), v.figure, v.rival, v.ratio, v.want, word)
	}
}

// writeRows writes all stores side by side.
func (r *results) writeRows(b *bytes.Buffer) {
	names := slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool {
		return !slices.ContainsFunc(rows(), func(w row) bool { return len(r.Cases[w.name][k.name]) > 0 })
	})
	if len(names) == 0 {
		return
	}
	head, line := "| |", "|---|"
	for _, k := range names {
		head += " " + k.name + " |"
		line += "--:|"
	}
	b.WriteString(head + "\n" + line + "\n")
	for _, w := range rows() {
		if r.Cases[w.name] == nil {
			continue
		}
		fmt.Fprintf(b, "| %s |", w.title)
		for _, k := range names {
			if v, ok := r.median(w.name, k.name, w.metric); ok {
				fmt.Fprintf(b, " %s |", w.unit.format(v))
			} else {
				b.WriteString(" |")
			}
		}
		b.WriteString("\n")
	}
}

// Marks around the tables in the README.
const (
	beginMark = "<!-- bench:begin -->"
	endMark   = "<!-- bench:end -->"
)

// writeInto puts the tables between the marks of a file.
func (r *results) writeInto(file string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(old, []byte(beginMark))
	_, after, ok2 := bytes.Cut(rest, []byte(endMark))
	if !ok || !ok2 {
		return fmt.Errorf("%s: no %s and %s to write between", file, beginMark, endMark)
	}
	var b bytes.Buffer
	b.Write(before)
	b.WriteString(beginMark + "\n\n")
	r.write(&b)
	b.WriteString("\n" + endMark)
	b.Write(after)
	return os.WriteFile(file, b.Bytes(), 0o644)
}
