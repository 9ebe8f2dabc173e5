package segment

// Format v1. All integers are little-endian. Reserved bytes and bits are
// written zero and refused when they are not.
//
//	segment file     header · records · footer
//
//	header           offset  size
//	                      0     8  magic "varveseg"
//	                      8     2  version, 1
//	                     10     1  kind: 1 log, 2 output
//	                     11     1  reserved
//	                     12     4  length of the header, this field and its CRC included
//	                     16    16  UUID of the store
//	                     32     8  timeline
//	                     40     8  id
//	                     48     8  first sequence number
//	                     56     8  time of creation, ns since 1970 UTC
//	                     64    24  parent: timeline, id, last sequence number (zero: none)
//	                     88    16  the log that this one replaces: timeline, id (zero: none)
//	                    104     8  next free id
//	                    112     4  number of live runs, n
//	                    116     4  number of retired runs, m
//	                    120  20×n  live runs: timeline 8, first id 8, how many 4
//	                      …  20×m  retired runs, likewise
//	                      …     4  CRC-32C of all before
//
//	record           offset  size
//	                      0     4  CRC-32C of what follows, up to the value
//	                      4     4  CRC-32C of the value
//	                      8     1  kind
//	                      9     1  flags
//	                     10     2  key length
//	                     12     4  value length
//	                     16     4  sequence number − the header's first, low half
//	                            4  its high half           if flagWide
//	                            8  commit time             if FlagCommit
//	                            4  bytes back to the mark  if FlagVouch
//	                            8  expiry time             if FlagExpiry
//	                            2  meta length             if FlagMeta
//	                            2  slots length            if FlagSlots
//	                            …  key · meta · slots · value
//
// Both CRCs of a record begin not with zero but with its place: the CRC-32C of
// UUID · timeline · id, exclusive-or the two halves of its offset. A record of
// 16-byte key that is a batch of its own takes 28 bytes around key and value;
// within a batch, 20.
//
// The footer is drawn in footer.go.
const (
	Version = 1

	headerMagic = "varveseg"
	headerFixed = 120 // up to the first run
	runSize     = 20  // timeline 8, first id 8, count 4
	crcSize     = 4

	recordFixed = 20 // up to the first optional field
	wideSize    = 4
	timeSize    = 8
	vouchSize   = 4
	expirySize  = 8
	lengthSize  = 2 // of meta and of slots

	endValueSize   = 16 // successor: timeline 8, id 8
	closeValueSize = 16 // inode 8, birth time 8
	editFixed      = 8  // number retired 4, number adopted 4
	refSize        = 16 // timeline 8, id 8
	slotFixed      = 3  // number 1, length 2
)

// Limits of the format.
const (
	MaxKey         = 1<<16 - 1 // bytes of a key; the least is 1
	MaxMeta        = 1<<16 - 1 // bytes of meta
	MaxSlots       = 1<<16 - 1 // bytes of all slots of an object
	MaxValue       = 1 << 30   // bytes of a value
	MaxBatch int64 = 1<<32 - 1 // bytes of a batch, its records' headers included

	// MaxHeader bounds a header, whatever it says of itself: room for
	// 400,000 runs.
	MaxHeader = 8 << 20

	// MinHeader is the least a header takes: one without a set.
	MinHeader = headerFixed + crcSize

	// MinRecord is the least a record takes.
	MinRecord = recordFixed + 1

	// MarkSize, EndSize and CloseSize are what those records take.
	MarkSize  = recordFixed + timeSize + vouchSize
	EndSize   = MarkSize + endValueSize
	CloseSize = MarkSize + closeValueSize

	// MaxRecordOverhead is the most that a put takes beyond key, meta, slots
	// and value.
	MaxRecordOverhead = recordFixed + wideSize + timeSize + vouchSize + expirySize + 2*lengthSize
)

// Flags of a record.
type Flags uint8

// FlagCommit ends a batch, FlagVouch is on the first record of a write to the
// file and on marks, ends and closes, FlagMsgpack says of what kind the value
// is. The other flags announce an optional field.
const (
	FlagCommit Flags = 1 << iota
	FlagVouch
	flagWide
	FlagMeta
	FlagSlots
	FlagExpiry
	FlagMsgpack

	flagReserved Flags = 1 << 7
)

// RecordKind says what a record is.
type RecordKind uint8

// The kinds of a record. Put and Delete carry a sequence number of their own;
// the others bear the one that the next put or delete gets.
const (
	Put    RecordKind = 1 // an object
	Delete RecordKind = 2 // a tombstone
	Edit   RecordKind = 3 // a change of the live set
	Mark   RecordKind = 4 // says how far the log is on the disk, and nothing else
	End    RecordKind = 5 // the last of a log that was rolled; names its successor
	Close  RecordKind = 6 // the last of a log that was closed in order
)

var kindNames = [...]string{"invalid", "put", "delete", "edit", "mark", "end", "close"}

// String returns the kind's name in lower case.
func (k RecordKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[0]
}

// Data reports whether the record is a put or a delete.
func (k RecordKind) Data() bool { return k == Put || k == Delete }
