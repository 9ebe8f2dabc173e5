package salvage

import (
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// Object is an object that was found.
type Object struct {
	segment.Object
	Slots  []byte // see segment.Slot; nil: none
	Expiry int64  // ns since 1970 UTC; zero: never

	// MayBeStale says that a newer version of the key, or its deletion, may be among the losses.
	MayBeStale bool
}

// Options are the options of Run. The zero value only finds out what is lost.
type Options struct {
	// Object receives the newest version of each key, in order of sequence number. Its
	// slices are good until it returns. Its error ends Run.
	Object func(Object) error

	// Progress is called after n more bytes of the store's files were looked through.
	Progress func(n int64)
}

// Report says what Run found, and what it did not find.
type Report struct {
	Path    string       `json:"path"`
	UUID    segment.UUID `json:"uuid"`
	Objects int64        `json:"objects"` // given to Options.Object, or that would have been
	Bytes   int64        `json:"bytes"`   // of their values

	// Numbers counts the sequence numbers of the records that were found, superseded records and
	// deletions included. LostNumbers counts the numbers in Lost. Together they are all that the
	// store's logs gave out, as far as that can be known.
	Numbers     uint64 `json:"numbers"`
	LostNumbers uint64 `json:"lost_numbers"`
	LastSeq     uint64 `json:"last_seq"` // the greatest number found

	LostObjects int64            `json:"lost_objects"` // keys of Lost whose newest version it is
	MayBeStale  int64            `json:"may_be_stale"` // objects that were found and may not be the newest version
	Lost        []Loss           `json:"lost"`
	Notes       []integrity.Note `json:"notes"`
}

// The kinds of a Loss.
const (
	LostPut     = "put"     // one record, its key known
	LostRecords = "records" // puts or deletes whose keys are not known
	LostControl = "control" // bytes that hold no put and no delete: a mark, an edit, an end, a close
	LostSegment = "segment" // a file that is missing, or cannot be read at all
)

// Loss is one thing that cannot be read.
type Loss struct {
	Kind     string      `json:"kind"`
	Segment  segment.Ref `json:"segment,omitzero"`
	File     string      `json:"file"` // empty: there is none
	Offset   int64       `json:"offset"`
	Bytes    int64       `json:"bytes"`
	Key      string      `json:"key,omitempty"` // as a Go string
	KeyBytes []byte      `json:"key_b64,omitempty"`
	FirstSeq uint64      `json:"first_seq,omitempty"` // zero: not known, or none
	LastSeq  uint64      `json:"last_seq,omitempty"`  // zero: not known, or none
	Reason   string      `json:"reason"`

	// Newest says that no newer version of the key was found, so that the key is not among the
	// objects. Older is the newest version that can be read. It is not the current one.
	Newest bool      `json:"newest"`
	Older  *Location `json:"older,omitempty"`
}

// Location is where a record is.
type Location struct {
	Segment segment.Ref `json:"segment"`
	File    string      `json:"file"`
	Offset  int64       `json:"offset"`
	Bytes   int64       `json:"bytes"`
	Seq     uint64      `json:"seq"`
}
