package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// results are what is kept of a run.
type results struct {
	Date     time.Time         `json:"date"`
	Machine  machine           `json:"machine"`
	Versions map[string]string `json:"versions"` // of the stores
	Keys     int               `json:"keys"`
	Rounds   int               `json:"rounds"`

	// Cases holds the rounds of each store at each experiment.
	Cases map[string]map[string][]figures `json:"cases"`

	// Notes are what should be known of the figures, and of what could not be measured.
	Notes []string `json:"notes,omitempty"`
}

// machine says what a run ran on.
type machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	Memory     string `json:"memory"`
	Kernel     string `json:"kernel"`
	FileSystem string `json:"file_system"`
	Go         string `json:"go"`
	Load       string `json:"load_before"` // load averages before the run: others at work
}

// newResults returns empty results of a run on the file system of dir.
func newResults(dir string, keys, rounds int) *results {
	return &results{
		Date:     time.Now().UTC().Truncate(time.Second),
		Machine:  thisMachine(dir),
		Versions: versions(),
		Keys:     keys,
		Rounds:   rounds,
		Cases:    map[string]map[string][]figures{},
	}
}

func (r *results) add(name, store string, f figures) {
	if r.Cases[name] == nil {
		r.Cases[name] = map[string][]figures{}
	}
	r.Cases[name][store] = append(r.Cases[name][store], f)
}

// median returns the median over the rounds.
func (r *results) median(name, store, metric string) (float64, bool) {
	return medianOf(r.Cases[name][store], metric)
}

func medianOf(rounds []figures, metric string) (float64, bool) {
	var all []float64
	for _, f := range rounds {
		if v, ok := f[metric]; ok {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2, true
}

// merge takes over the cases of a later run, one store at a time.
func (r *results) merge(later *results) {
	for name, stores := range later.Cases {
		if r.Cases[name] == nil {
			r.Cases[name] = map[string][]figures{}
		}
		for store, rounds := range stores {
			r.Cases[name][store] = rounds
		}
	}
	for _, n := range later.Notes {
		if !slices.Contains(r.Notes, n) {
			r.Notes = append(r.Notes, n)
		}
	}
	r.Date, r.Machine, r.Versions = later.Date, later.Machine, later.Versions
	r.Keys, r.Rounds = later.Keys, later.Rounds
}

// save writes the results to a new file in the folder dir and returns its name.
func (r *results) save(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, r.Date.Format("2006-01-02-150405")+".json")
	return name, os.WriteFile(name, append(b, '\n'), 0o644)
}

// load reads results, merged in the order of the files.
func load(files []string) (*results, error) {
	var all *results
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var r results
		if err := json.Unmarshal(b, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if all == nil {
			all = &r
		} else if all.Keys != r.Keys {
			return nil, fmt.Errorf("%s: %d keys, others have %d", name, r.Keys, all.Keys)
		} else {
			all.merge(&r)
		}
	}
	return all, nil
}

// versions returns the versions of the stores that this binary was built with.
func versions() map[string]string {
	v := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, k := range kinds {
		for _, d := range info.Deps {
			if d.Path == k.module {
				v[k.name] = strings.TrimPrefix(d.Version, "v")
			}
		}
	}
	v["varve"] = "this tree"
	if b, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		v["varve"] = strings.TrimSpace(string(b))
	}
	return v
}

// thisMachine describes the machine and the file system of dir.
func thisMachine(dir string) machine {
	m := machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version()}
	m.CPU = firstField("/proc/cpuinfo", "model name", m.CPU)
	kib, _ := strconv.ParseFloat(strings.TrimSuffix(firstField("/proc/meminfo", "MemTotal", ""), " kB"), 64)
	m.Memory = fmt.Sprintf("%.0f GiB", kib/(1<<20))
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	m.FileSystem = fileSystem(dir)
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Join(strings.Fields(string(b))[:3], " ")
	}
	return m
}

// firstField returns what stands behind the first "name:" in a file.
func firstField(file, name, otherwise string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return otherwise
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return otherwise
}
