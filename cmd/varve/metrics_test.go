package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/varve-db/varve/archiver"
	archivermetrics "github.com/varve-db/varve/archiver/metrics"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/store"
	"github.com/varve-db/varve/store/metrics"
)

var update = flag.Bool("update", false, "write the tables of docs/metrics.md from the code")

const metricsDoc = "../../docs/metrics.md"

// families returns what a collector tells, sorted by name.
func families(t *testing.T, c prometheus.Collector) []*dto.MetricFamily {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(c); err != nil {
		t.Fatal(err)
	}
	f, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// storeFamilies are those of a store that holds nothing.
func storeFamilies(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	db, err := store.Open(filepath.Join(t.TempDir(), "s"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return families(t, metrics.New(db, nil))
}

// archiverFamilies are those of an archiver with one target.
func archiverFamilies(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	to, err := dir.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	arc, err := archiver.New(archiver.Options{Store: os.DirFS(t.TempDir()), Receipts: t.TempDir(), Targets: []target.Target{to}})
	if err != nil {
		t.Fatal(err)
	}
	return families(t, archivermetrics.New(arc))
}

// labels returns the names of a family's labels, and the values of each.
func labels(f *dto.MetricFamily) map[string][]string {
	l := map[string][]string{}
	for _, m := range f.GetMetric() {
		for _, p := range m.GetLabel() {
			if !slices.Contains(l[p.GetName()], p.GetValue()) {
				l[p.GetName()] = append(l[p.GetName()], p.GetValue())
			}
		}
	}
	return l
}

// unitOf is what a family counts in, as its name and its help say.
func unitOf(f *dto.MetricFamily) string {
	name := strings.TrimSuffix(f.GetName(), "_total")
	switch {
	case strings.HasSuffix(name, "_timestamp_seconds"):
		return "seconds since 1970"
	case strings.HasSuffix(name, "_seconds"):
		return "seconds"
	case strings.HasSuffix(name, "_bytes"):
		return "bytes"
	case strings.HasPrefix(f.GetHelp(), "1 "):
		return "0 or 1"
	case strings.HasSuffix(name, "_level"):
		return "level"
	case strings.HasSuffix(name, "_number"):
		return "number"
	}
	return "count"
}

// familyTable is the table of a collector's families.
func familyTable(list []*dto.MetricFamily) string {
	var b strings.Builder
	b.WriteString("| name | type | labels | unit | help |\n|---|---|---|---|---|\n")
	for _, f := range list {
		names := slices.Sorted(maps.Keys(labels(f)))
		for i, n := range names {
			names[i] = "`" + n + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()),
			strings.Join(names, ", "), unitOf(f), strings.ReplaceAll(f.GetHelp(), "|", `\|`))
	}
	return b.String()
}

// TestMetricsAreDocumented holds the tables of docs/metrics.md to the collectors, and
// all that its text and its rules name to the tables.
func TestMetricsAreDocumented(t *testing.T) {
	doc := readFile(t, metricsDoc)
	known := map[string]bool{}
	for name, list := range map[string][]*dto.MetricFamily{"store": storeFamilies(t), "archiver": archiverFamilies(t)} {
		begin := "<!-- families: " + name + " -->\n"
		got, want := between(t, doc, begin, "<!-- end -->"), familyTable(list)
		if *update {
			doc = strings.Replace(doc, begin+got, begin+want, 1)
		} else if got != want {
			t.Errorf("docs/metrics.md is not what the collector of the %s tells; go test ./cmd/varve -run Metrics -update. Want:\n%s", name, want)
		}
		for _, f := range list {
			known[f.GetName()] = true
			if f.GetType() == dto.MetricType_HISTOGRAM {
				known[f.GetName()+"_bucket"] = true
			}
		}
	}
	for _, name := range regexp.MustCompile(`\bvarve_(store|integrity|archiver)_\w+`).FindAllString(doc, -1) {
		if !known[name] {
			t.Errorf("docs/metrics.md names %s, which nobody tells", name)
		}
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(metricsDoc, []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMetricsDocumentEveryAlarm holds the tables of alarms to the values of the label.
func TestMetricsDocumentEveryAlarm(t *testing.T) {
	doc := readFile(t, metricsDoc)
	for _, f := range archiverFamilies(t) {
		want, ok := labels(f)["kind"]
		if !ok {
			continue
		}
		text := between(t, doc+"\n\n", "of `"+f.GetName()+"`:\n\n", "\n\n")
		var got []string
		for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(text, -1) {
			got = append(got, m[1])
		}
		slices.Sort(got)
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("docs/metrics.md has the kinds %q of %s, want %q", got, f.GetName(), want)
		}
	}
}

// TestNothingIsRegisteredGlobally makes both collectors, and looks at the registry of the
// process.
func TestNothingIsRegisteredGlobally(t *testing.T) {
	storeFamilies(t)
	archiverFamilies(t)
	all, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if strings.HasPrefix(f.GetName(), "varve_") {
			t.Errorf("%s is in the global registry", f.GetName())
		}
	}
}
