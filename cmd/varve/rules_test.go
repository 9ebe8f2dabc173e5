package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/varve-db/varve/cmd/varve/internal/when"
)

// series are values of series over some days, one each 4 minutes, in promtool's
// language; N is how many more than one, and M is N-1. The clock begins in 1970.
type series map[string]string

// allWell is what a scrape shows when nobody need look. The store is just being scrubbed
// for the first time, and old.
var allWell = series{
	`varve_store_failed`:                                            "0+0xN",
	`varve_store_disk_full`:                                         "0+0xN",
	`varve_store_unsealed_logs`:                                     "1+0xN",
	`varve_store_sync_duration_seconds_bucket{le="0.1"}`:            "0+10xN",
	`varve_store_sync_duration_seconds_bucket{le="2"}`:              "0+10xN",
	`varve_store_sync_duration_seconds_bucket{le="+Inf"}`:           "0+10xN",
	`varve_integrity_open_findings`:                                 "0+0xN",
	`varve_integrity_scrub_findings_total`:                          "0+0xN",
	`varve_integrity_scrub_segments`:                                "9+0xN",
	`varve_integrity_oldest_verified_timestamp_seconds`:             "3400000+0xM 0",
	`varve_archiver_backlog_segments{target="a"}`:                   "0+0xN",
	`varve_archiver_archived_through_timestamp_seconds{target="a"}`: "0+240xN", // the time itself
	`varve_archiver_alarm{target="a",kind="full"}`:                  "0+0xN",
	`varve_archiver_alarm{target="a",kind="denied"}`:                "0+0xN",
	`varve_archiver_store_alarm{kind="damaged"}`:                    "0+0xN",
	`varve_archiver_last_drill_timestamp_seconds{instance="one"}`:   "3400000+0xN",
}

// amiss are changes to allWell, and the alert that each is to fire, alone.
var amiss = []struct {
	alert  string
	days   int
	change series // an empty one takes the series away
}{
	{"", 40, nil},
	{"VarveStoreFailed", 1, series{`varve_store_failed`: "1+0xN"}},
	{"VarveDiskFull", 1, series{`varve_store_disk_full`: "1+0xN"}},
	{"VarveDamage", 1, series{`varve_integrity_scrub_findings_total`: "1+0xN"}},
	{"VarveDamage", 1, series{`varve_integrity_open_findings`: "1+0xN"}},
	{"VarveArchiveBehind", 1, series{`varve_archiver_archived_through_timestamp_seconds{target="a"}`: "0+120xN"}},
	{"VarveArchiveAlarm", 1, series{`varve_archiver_alarm{target="a",kind="full"}`: "1+0xN"}},
	{"VarveArchiveAlarm", 1, series{`varve_archiver_store_alarm{kind="damaged"}`: "1+0xN"}},
	{"VarveArchiverGone", 1, series{`varve_archiver_backlog_segments{target="a"}`: ""}},
	{"VarveNotVerified", 16, series{`varve_integrity_oldest_verified_timestamp_seconds`: "0+0xN"}},
	{"VarveNotVerified", 16, series{`varve_integrity_oldest_verified_timestamp_seconds`: "10000+0xN"}},
	{"", 16, series{`varve_integrity_oldest_verified_timestamp_seconds`: "0+0xN", `varve_integrity_scrub_segments`: "0+0xN"}}, // no scrubbing
	{"VarveNoDrill", 40, series{`varve_archiver_last_drill_timestamp_seconds{instance="one"}`: "0+0xN"}},
	{"VarveSealsLate", 1, series{`varve_store_unsealed_logs`: "3+0xN"}},
	{"VarveSlowDisk", 1, series{`varve_store_sync_duration_seconds_bucket{le="0.1"}`: "0+9xN"}},
}

// TestDocumentedRulesFire has promtool check the rules of docs/metrics.md, and try each
// with figures that are to make it fire.
func TestDocumentedRulesFire(t *testing.T) {
	findPrometheus(t, "promtool")
	dir, rules := t.TempDir(), documentedRules(t)
	var b strings.Builder
	b.WriteString("rule_files: [rules.yml]\nevaluation_interval: 2h\ntests:\n")
	tried := map[string]bool{}
	for i, c := range amiss {
		tried[c.alert] = true
		fmt.Fprintf(&b, "  - name: %d %s\n    interval: 4m\n    input_series:\n", i, c.alert)
		for _, name := range slices.Sorted(maps.Keys(allWell)) {
			values := allWell[name]
			if v, ok := c.change[name]; ok {
				values = v
			}
			if values != "" {
				n := c.days * 24 * 60 / 4
				values = strings.NewReplacer("N", strconv.Itoa(n), "M", strconv.Itoa(n-1)).Replace(values)
				fmt.Fprintf(&b, "      - {series: '%s', values: '%s'}\n", name, values)
			}
		}
		b.WriteString("    promql_expr_test:\n      - expr: group by (alertname) (ALERTS{alertstate='firing'})\n")
		fmt.Fprintf(&b, "        eval_time: %dd\n", c.days)
		if c.alert != "" {
			fmt.Fprintf(&b, "        exp_samples: [{labels: '{alertname=\"%s\"}', value: 1}]\n", c.alert)
		}
	}
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		if !tried[m[1]] {
			t.Errorf("nothing is to make %s fire", m[1])
		}
	}
	writeFiles(t, dir, map[string]string{"rules.yml": rules, "test.yml": b.String()})
	promtool(t, "", "check", "rules", filepath.Join(dir, "rules.yml"))
	promtool(t, "", "test", "rules", filepath.Join(dir, "test.yml"))
}

// TestEveryDurationIsReadAlike gives each flag of a duration, of every command, what Go's own
// form does not take.
func TestEveryDurationIsReadAlike(t *testing.T) {
	n := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() != "duration" && f.Name != "sync" {
				return
			}
			n++
			for _, in := range []string{"1d12h", "1w", "36h0m0s"} {
				if err := f.Value.Set(in); err != nil {
					t.Errorf("%s --%s %s: %v", c.CommandPath(), f.Name, in, err)
				}
			}
			if err := f.Value.Set("-1s"); err == nil {
				t.Errorf("%s --%s takes a negative time", c.CommandPath(), f.Name)
			}
			if !strings.Contains(c.Long, when.SpanHelp) {
				t.Errorf("the help of %s does not say what --%s takes", c.CommandPath(), f.Name)
			}
		})
	}
	walk((&app{out: &output{}}).root())
	if n < 15 {
		t.Errorf("only %d flags of durations", n)
	}
}
