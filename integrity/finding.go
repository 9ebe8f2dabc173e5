package integrity

import (
	"time"

	"github.com/varve-db/varve/segment"
)

// Kind says what is wrong. The values are part of the JSON output of check.
type Kind string

// The kinds of a Finding.
const (
	DamagedHeader Kind = "damaged header" // of a segment file
	DamagedRecord Kind = "damaged record" // header, key, meta, slots or value
	DamagedTable  Kind = "damaged table"  // footer: block, block index, summary, trailer; the records may be sound
	WrongTable    Kind = "wrong table"    // sound by its checksums, and not what the records say
	DamagedDigest Kind = "wrong digest"   // the file is not the one that was sealed, though every part checks
	DamagedLog    Kind = "damaged log"    // bytes in the durable part of a log
	Missing       Kind = "missing segment"
	LostLog       Kind = "lost log"      // the newest log, which the one before it names, is not there
	Contradiction Kind = "contradiction" // segments that do not chain, two files of one segment, segments of two stores
	NewerVersion  Kind = "newer version" // not judged; needs a newer varve
	Unreadable    Kind = "unreadable"    // the disk or the system refuses to read
)

// A Finding is one thing that is wrong with a store.
type Finding struct {
	Kind     Kind        `json:"kind"`
	Segment  segment.Ref `json:"segment"`
	File     string      `json:"file"`
	Offset   int64       `json:"offset"`
	Reason   string      `json:"reason"`
	Keys     [][]byte    `json:"keys"`      // touched, as far as they are known
	FirstSeq uint64      `json:"first_seq"` // the sequence numbers touched, from FirstSeq
	LastSeq  uint64      `json:"last_seq"`  // to LastSeq; both zero where unknown

	// Good is when the segment was last known to be whole: its last full check by
	// scrub, or else its seal; zero: unknown.
	Good time.Time `json:"good,omitzero"`

	Next segment.Remedy `json:"next"` // what has to be done
}

// A Note is something that is worth knowing and not wrong: a torn tail after a
// crash, a file mode, a file that is not the store's.
type Note struct {
	File string `json:"file,omitempty"`
	Text string `json:"text"`
}
