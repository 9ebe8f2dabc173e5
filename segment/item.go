package segment

import (
	"encoding/hex"
	"strconv"
	"time"
)

// Item is one part of a segment file as Dump finds it, for people and programs
// to read. Of the pointers, the one that What names is set, unless the part
// could not be read.
type Item struct {
	Offset  int64       `json:"offset"`
	Size    int64       `json:"size"`
	What    string      `json:"what"`              // "header", "record", "footer", "block", or "damage": bytes that are no part of a segment
	Problem string      `json:"problem,omitempty"` // what does not check; empty if all does
	Header  *HeaderItem `json:"header,omitempty"`
	Record  *RecordItem `json:"record,omitempty"`
	Footer  *FooterItem `json:"footer,omitempty"`
	Block   *BlockItem  `json:"block,omitempty"`
}

// HeaderItem is the header of a segment. Segments are written timeline/id.
type HeaderItem struct {
	Version   int       `json:"version"`
	Kind      string    `json:"kind"`
	UUID      UUID      `json:"uuid"`
	Timeline  Timeline  `json:"timeline"`
	ID        ID        `json:"id"`
	FirstSeq  uint64    `json:"first_seq"`
	Time      time.Time `json:"time"`
	Parent    string    `json:"parent,omitempty"`
	ParentSeq uint64    `json:"parent_seq,omitempty"`
	Replaced  string    `json:"replaced,omitempty"`
	NextID    ID        `json:"next_id,omitempty"`
	Live      []string  `json:"live,omitempty"` // runs: timeline/first id–last id
	Retired   []string  `json:"retired,omitempty"`
}

// RecordItem is a record. Keys and slots are quoted as in Go and cut short.
type RecordItem struct {
	Kind      string     `json:"kind"`
	Flags     []string   `json:"flags,omitempty"`
	Seq       uint64     `json:"seq"`
	Time      time.Time  `json:"time,omitzero"`
	Vouch     *int64     `json:"vouch,omitempty"` // the log is on the disk up to this offset
	Expiry    time.Time  `json:"expiry,omitzero"`
	Key       string     `json:"key,omitempty"`
	KeySize   int        `json:"key_size,omitempty"`
	MetaSize  int        `json:"meta_size,omitempty"`
	Slots     []SlotItem `json:"slots,omitempty"`
	ValueSize int64      `json:"value_size"`
	HeadOK    bool       `json:"head_ok"`  // verdict of the first CRC
	ValueOK   bool       `json:"value_ok"` // and of the second

	Retire    []string  `json:"retire,omitempty"`    // of an edit
	Adopt     []string  `json:"adopt,omitempty"`     // of an edit
	Successor string    `json:"successor,omitempty"` // of an end
	Inode     uint64    `json:"inode,omitempty"`     // of a close
	Birth     time.Time `json:"birth,omitzero"`      // of a close
}

// SlotItem is a slot of a put.
type SlotItem struct {
	Number uint8  `json:"number"`
	Value  string `json:"value"`
}

// FooterItem is the footer's summary.
type FooterItem struct {
	RecordsEnd int64     `json:"records_end"`
	Blocks     int       `json:"blocks"`
	Entries    int64     `json:"entries"`
	Puts       int64     `json:"puts"`
	Deletes    int64     `json:"deletes"`
	Others     int64     `json:"others"`
	Batches    int64     `json:"batches"`
	PutBytes   int64     `json:"put_bytes"`
	FirstSeq   uint64    `json:"first_seq"`
	LastSeq    uint64    `json:"last_seq"`
	FirstTime  time.Time `json:"first_time,omitzero"`
	LastTime   time.Time `json:"last_time,omitzero"`
	SHA256     string    `json:"sha256"`
	DigestOK   bool      `json:"digest_ok"` // the file was read, and this is its SHA-256
}

// BlockItem is a block of the table.
type BlockItem struct {
	Entries  int    `json:"entries"`
	FirstKey string `json:"first_key"`
}

// when is a time of the format, UTC; the zero time for none.
func when(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// quote writes bytes for people: as a Go string, cut short.
func quote(b []byte) string { return strconv.Quote(string(shorten(b))) }

func refString(r Ref) string {
	if r == (Ref{}) {
		return ""
	}
	return r.String()
}

func headerItem(h *Header) *HeaderItem {
	return &HeaderItem{
		Version: Version, Kind: h.Kind.String(), UUID: h.UUID, Timeline: h.Ref.Timeline, ID: h.Ref.ID,
		FirstSeq: h.FirstSeq, Time: when(h.Time), Parent: refString(h.Parent), ParentSeq: h.ParentSeq,
		Replaced: refString(h.Replaced), NextID: h.NextID, Live: h.Live.strings(), Retired: h.Retired.strings(),
	}
}

var flagNames = [...]string{"commit", "vouch", "wide", "meta", "slots", "expiry", "msgpack", "reserved"}

// names lists the flags that are set.
func (f Flags) names() []string {
	var out []string
	for i, n := range flagNames {
		if f&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// recordItem describes r. Of a control record it needs the value.
func recordItem(r *Record, valueOK bool) *RecordItem {
	x := &RecordItem{
		Kind: r.Kind.String(), Flags: r.Flags.names(), Seq: r.Seq, Time: when(r.Time), Expiry: when(r.Expiry),
		KeySize: len(r.Key), MetaSize: len(r.Meta), ValueSize: r.ValueSize, HeadOK: true, ValueOK: valueOK,
	}
	if r.Vouches() {
		v := r.Vouch
		x.Vouch = &v
	}
	if r.Kind.Data() {
		x.Key = quote(r.Key)
	}
	slots, _ := ParseSlots(r.Slots)
	for _, s := range slots {
		x.Slots = append(x.Slots, SlotItem{s.Number, quote(s.Value)})
	}
	if !valueOK {
		return x
	}
	switch r.Kind {
	case Edit:
		e, _ := r.ParseEdit()
		x.Retire, x.Adopt = SetOf(e.Retire...).strings(), SetOf(e.Adopt...).strings()
	case End:
		x.Successor = refString(r.Successor())
	case Close:
		inode, birth := r.Closed()
		x.Inode, x.Birth = inode, when(birth)
	}
	return x
}

func footerItem(f *Footer, digestOK bool) *FooterItem {
	return &FooterItem{
		RecordsEnd: f.RecordsEnd, Blocks: f.Blocks, Entries: f.Entries(), Puts: f.Puts, Deletes: f.Deletes,
		Others: f.Others, Batches: f.Batches, PutBytes: f.PutBytes, FirstSeq: f.FirstSeq, LastSeq: f.LastSeq,
		FirstTime: when(f.FirstTime), LastTime: when(f.LastTime), SHA256: hex.EncodeToString(f.SHA256[:]), DigestOK: digestOK,
	}
}
