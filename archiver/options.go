package archiver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/vfs"
)

// Options of New. Store, Receipts and a target must be given; the zero value of each
// other field is its default.
type Options struct {
	// Store is the folder of the store. It is only read.
	Store fs.FS

	// Receipts is the path of the folder of receipts and state: ReceiptsDir, or another one that
	// holds nothing else. It is made when it is first written to; the folder above it must be
	// there.
	Receipts string
	receipts vfs.FS // a test's folder instead

	// Targets are where each segment is shipped to. They do not wait for each other.
	Targets []target.Target

	// Unopened are targets that could not be opened. Run keeps trying to open them, and ships
	// to the others meanwhile.
	Unopened []Unopened

	// Accept are the IDs of archives that may replace the one that a target was when an archiver
	// last reached it: see target.OtherArchiveError. Default: none.
	Accept []string

	// Parallel is how many segments are sent to a target at a time. Default 4.
	Parallel int

	// Rate bounds what is sent to all targets together, in bytes a second. Zero: no
	// bound, the default.
	Rate int64

	// Timeout bounds an attempt to ship a segment, for each 64 MiB of it. The time that Rate
	// makes it take is added. Default 5 minutes.
	Timeout time.Duration

	// Poll is how often Run looks for new segments, and whether the targets are
	// still what they were. Default 10 seconds.
	Poll time.Duration

	// Notify has Run look at once. See Watch. Nil: it only polls.
	Notify <-chan struct{}

	// Grace is how long uploads that have begun may go on when Run is told to
	// end. Default 30 seconds; negative: not at all.
	Grace time.Duration

	// Sealer seals the log that the store appends to. Once calls it before it ships, Run when
	// the log holds objects older than SealAfter. Nil: nothing is sealed.
	Sealer Sealer

	// Barrier lets the archiver write heartbeats, which say up to which moment an archive holds
	// every commit: Run at most once a minute, while nobody writes to the store, and Once when
	// it has shipped everything. Nil: there are no heartbeats.
	Barrier Barrier

	// SealAfter bounds how long objects stay in a log that is not sealed, and so
	// not in the archive. Zero: no bound, the default.
	SealAfter time.Duration

	// MaxLag is the age from which Health reports a commit that is not archived, sealed or not.
	// Zero: never, the default.
	MaxLag time.Duration

	// Logger logs what happens. Default: nothing is logged.
	Logger *slog.Logger
}

// Defaults of Options.
const (
	DefaultParallel = 4
	DefaultPoll     = 10 * time.Second
	DefaultGrace    = 30 * time.Second
)

// defaultTries is how many failures in a row make Once give up. Run does not give up.
const defaultTries = 5

// resolved returns o with the defaults filled in.
func (o Options) resolved() (Options, error) {
	if o.receipts == nil && o.Receipts != "" {
		o.receipts = vfs.Dir(o.Receipts)
	}
	if o.Store == nil || o.receipts == nil || len(o.Targets)+len(o.Unopened) == 0 {
		return o, errors.New("archiver: Options need Store, Receipts and Targets")
	}
	if o.Parallel < 0 || o.Rate < 0 || o.Timeout < 0 || o.Poll < 0 || o.SealAfter < 0 || o.MaxLag < 0 {
		return o, errors.New("archiver: a negative option")
	}
	seen := map[string]bool{}
	for _, url := range o.urls() {
		if seen[url] {
			return o, fmt.Errorf("the target %s is given twice", url)
		}
		seen[url] = true
	}
	o.Parallel = cmp.Or(o.Parallel, DefaultParallel)
	o.Timeout = cmp.Or(o.Timeout, target.DefaultTimeout)
	o.Poll = cmp.Or(o.Poll, DefaultPoll)
	o.Grace = cmp.Or(o.Grace, DefaultGrace)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// timeout returns the limit of an attempt to ship a segment. All attempts that run at a time
// share the rate.
func (o *Options) timeout() target.Timeout {
	return target.Timeout{PerUnit: o.Timeout, Rate: o.Rate, Senders: o.Parallel * (len(o.Targets) + len(o.Unopened))}
}

// urls returns the URLs of all targets.
func (o *Options) urls() (urls []string) {
	for _, t := range o.Targets {
		urls = append(urls, t.URL())
	}
	for _, u := range o.Unopened {
		urls = append(urls, u.URL)
	}
	return urls
}

// Unopened is a target that could not be opened, for example because its disk is not mounted.
type Unopened struct {
	URL string // what the target's URL method returns, once it is open

	// Open opens the target. It is called again until it succeeds.
	Open func(context.Context) (target.Target, error)
}
