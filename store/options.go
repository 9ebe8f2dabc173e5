package store

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/varve-db/varve/integrity"
)

// Options of Open and OpenReadOnly. The zero value of each field is its
// default, and a nil *Options is all defaults.
type Options struct {
	// SegmentSize is the most that the records of a segment take, in bytes:
	// 4 KiB to 4 GiB. A batch that is larger gets a segment of its own. Default
	// 64 MiB. It may differ from one open to the next.
	SegmentSize int64

	// Durability is SyncAlways or SyncEvery(d). Default SyncAlways.
	Durability Durability

	// MaxSegmentAge bounds how long a log that holds objects stays open: it is
	// sealed at that age, though it is not full. Zero: no bound, the default.
	MaxSegmentAge time.Duration

	// Integrity is how much is checked when the store is opened. Default Tail.
	Integrity integrity.Level

	// MaxIndexBytes bounds the memory of the index when the store is opened. Zero: no
	// bound, the default.
	MaxIndexBytes int64

	// MustExist makes Open refuse to create a store.
	MustExist bool

	// AcceptLostLog opens a store whose newest log is lost, without the objects in it, or
	// ends below where it was closed (CorruptError.Closed), without those that are missing.
	AcceptLostLog bool

	// AllowDamaged opens a store of which sealed segments are damaged or missing. Reads
	// of what is damaged, and of keys of which a segment that cannot be read may
	// hold a newer version, fail with a *CorruptError; all else can be read, and
	// written. A scan ends with such an error where objects may be missing from it. It is so
	// until the store is opened again, healed. It does not help where the newest log is damaged.
	AllowDamaged bool

	// Scrub has sealed segments verified in the background. Default: off.
	Scrub ScrubOptions

	// Logger receives what happens in the background, and the report of the
	// open. Default: nothing is logged.
	Logger *slog.Logger
}

// Limits and defaults of Options.
const (
	MinSegmentSize           = 4 << 10
	MaxSegmentSize     int64 = 4 << 30
	DefaultSegmentSize       = 64 << 20
)

// resolved returns a copy with the defaults filled in.
func (o *Options) resolved() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	if r.SegmentSize == 0 {
		r.SegmentSize = DefaultSegmentSize
	}
	if r.SegmentSize < MinSegmentSize || r.SegmentSize > MaxSegmentSize {
		return r, fmt.Errorf("segment size %d: want %d to %d bytes", r.SegmentSize, MinSegmentSize, MaxSegmentSize)
	}
	if r.MaxSegmentAge < 0 || r.MaxIndexBytes < 0 || r.Scrub.Rate < 0 || r.Scrub.Every < 0 {
		return r, fmt.Errorf("options: negative MaxSegmentAge, MaxIndexBytes, Scrub.Rate or Scrub.Every")
	}
	if r.Scrub.Every == 0 {
		r.Scrub.Every = defaultScrubEvery
	}
	if _, err := r.Integrity.MarshalText(); err != nil {
		return r, err
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	return r, nil
}

// Durability says when a commit is on the disk. The zero value is SyncAlways.
type Durability struct{ every time.Duration }

// SyncAlways has every commit on the disk before it returns.
var SyncAlways Durability

// SyncEvery lets a commit return at once and has it on the disk within d, at
// least a millisecond. A commit waits when the oldest one not yet on the disk nears d.
func SyncEvery(d time.Duration) Durability {
	return Durability{max(d, time.Millisecond)}
}

// String returns "always" or the duration.
func (d Durability) String() string {
	if d.every == 0 {
		return "always"
	}
	return d.every.String()
}

// UnmarshalText takes "always" or a duration.
func (d *Durability) UnmarshalText(b []byte) error {
	if string(b) == "always" {
		*d = SyncAlways
		return nil
	}
	every, err := time.ParseDuration(string(b))
	if err != nil || every <= 0 {
		return fmt.Errorf("durability %q: want always, or a duration such as 1s", b)
	}
	*d = SyncEvery(every)
	return nil
}
