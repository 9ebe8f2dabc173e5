package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// fullKeys is how many keys the targets are set for.
const fullKeys = 1_000_000

// fullGB is how large a store the targets of integrity/ are set for, in gigabytes.
const fullGB = 4

// options are the flags.
type options struct {
	keys     int
	rounds   int
	gb       float64
	only     string
	stores   string
	dir      string
	quick    bool
	readme   string
	from     string
	results  string
	profiles string
	list     bool
	child    bool
}

func main() {
	var o options
	flag.IntVar(&o.keys, "n", fullKeys, "`keys` of each store")
	flag.IntVar(&o.rounds, "rounds", 3, "`times` that varve and the stores of its targets take part; the median counts")
	flag.Float64Var(&o.gb, "gb", fullGB, "`gigabytes` of the largest stores of integrity/ and archive/")
	flag.StringVar(&o.only, "only", "", "run the experiments whose name matches the `regexp`")
	flag.StringVar(&o.stores, "stores", "", "run these `stores`, separated by commas (default all)")
	flag.StringVar(&o.dir, "dir", ".", "make the stores in a new folder under this `folder`, on the disk to be measured")
	flag.BoolVar(&o.quick, "quick", false, "50,000 keys, 0.25 gigabytes, one round, short loops")
	flag.StringVar(&o.readme, "readme", "", "write the tables between the marks of this `file`")
	flag.StringVar(&o.from, "from", "", "run nothing; take the results of these `files`, separated by commas, the later ones before the earlier")
	flag.StringVar(&o.results, "results", "results", "keep the results in this `folder`")
	flag.StringVar(&o.profiles, "cpuprofile", "", "write a CPU profile of each turn into this `folder`")
	flag.BoolVar(&o.list, "list", false, "list the experiments and run nothing")
	flag.BoolVar(&o.child, "child", false, "do one task from standard input (for the command itself)")
	flag.Parse()
	if err := o.main(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o *options) main() error {
	if o.child {
		return child(os.Stdin, os.Stdout)
	}
	if o.from != "" {
		r, err := load(strings.Split(o.from, ","))
		if err != nil {
			return err
		}
		return o.show(r)
	}
	all, err := o.experiments()
	if err != nil || o.list {
		for _, x := range all {
			fmt.Println(x.name)
		}
		return err
	}
	r, err := o.run(all)
	if r == nil {
		return err
	}
	file, saveErr := r.save(o.results)
	fmt.Println("\nresults:", file)
	if err = errors.Join(err, saveErr); err != nil {
		o.readme = "" // the README shows whole runs
	}
	return errors.Join(err, o.show(r))
}

// experiments returns those that -only names.
func (o *options) experiments() ([]experiment, error) {
	match, err := regexp.Compile(o.only)
	if err != nil {
		return nil, err
	}
	l := limits{loop: 20 * time.Second, timed: 3 * time.Second, gb: o.gb}
	if o.quick {
		l = limits{loop: 3 * time.Second, timed: time.Second / 2, gb: min(o.gb, 0.25)}
		o.keys, o.rounds = 50_000, 1
	}
	if o.keys < 1000 || o.rounds < 1 || o.gb < 0.01 {
		return nil, errors.New("want at least 1000 keys, one round and 0.01 gigabytes")
	}
	all := slices.DeleteFunc(experiments(l), func(x experiment) bool { return !match.MatchString(x.name) })
	if len(all) == 0 {
		return nil, fmt.Errorf("no experiment matches %q; see -list", o.only)
	}
	return all, nil
}

// run runs experiments. The results are nil if it could not begin.
func (o *options) run(all []experiment) (*results, error) {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	if o.stores != "" {
		names = strings.Split(o.stores, ",")
	}
	for _, s := range names {
		if kindOf(s) == nil {
			return nil, fmt.Errorf("no store %q", s)
		}
	}
	if o.profiles != "" {
		if err := os.MkdirAll(o.profiles, 0o755); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp(o.dir, "bench-data-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := &runner{dir: dir, n: o.keys, rounds: o.rounds, profiles: o.profiles, stores: names, log: os.Stdout}
	r.results = newResults(dir, o.keys, o.rounds)
	return r.results, r.run(ctx, all)
}

// show prints the tables, and writes them where -readme says.
func (o *options) show(r *results) error {
	var b bytes.Buffer
	r.write(&b)
	fmt.Printf("\n%s", b.Bytes())
	if o.readme == "" {
		return nil
	}
	return r.writeInto(o.readme)
}
