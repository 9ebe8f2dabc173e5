package receipt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/segment"
)

const (
	receiptFormat = 1       // Receipt.Format
	maxReceipt    = 1 << 16 // bytes of the file, far above what is written
)

// Receipt says that a target has a segment. It is written when, and only when, the object is
// known to be durable there, and never changed. Its file is JSON. The last field there, check,
// proves that no byte of it has changed: see statefile.WithCheck.
type Receipt struct {
	Format  int            `json:"format"`  // 1; Write sets it
	Target  string         `json:"target"`  // the ID of the target's identity
	URL     string         `json:"url"`     // the target as its user named it then
	Store   segment.UUID   `json:"store"`   // whose segment it is
	Segment segment.Ref    `json:"segment"` // timeline/id
	Kind    string         `json:"kind"`    // log or output
	Object  string         `json:"object"`  // the object's name
	Size    int64          `json:"size"`    // bytes
	SHA256  segment.Digest `json:"sha256"`  // of the whole file
	Shipped time.Time      `json:"shipped"` // when the object was known to be durable, UTC

	FirstSeq  uint64 `json:"first_seq"` // of the segment's puts and deletes
	LastSeq   uint64 `json:"last_seq"`
	FirstTime int64  `json:"first_time"` // of its commits, in ns since 1970, UTC
	LastTime  int64  `json:"last_time"`
	Puts      uint64 `json:"puts"`
	Deletes   uint64 `json:"deletes"`
}

// same reports whether two receipts say the same of a segment. When it was
// shipped, and how the target was called, may differ: two archivers may both have
// found the object there.
func (r Receipt) same(o Receipt) bool {
	o.Shipped, o.URL = r.Shipped, r.URL
	return r == o
}

// encode returns the file of a receipt.
func (r Receipt) encode() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	return statefile.WithCheck(b), nil
}

// parseReceipt reads the file of a receipt, and demands that it is about the
// segment and target that its name says. The error wraps segment.ErrVersion for a receipt
// of a newer format, which is one whose check holds.
func parseReceipt(file []byte, targetID string, ref segment.Ref) (Receipt, error) {
	var r Receipt
	b, err := statefile.Checked(file)
	if err != nil {
		return r, err
	}
	var version struct{ Format int }
	if err := json.Unmarshal(b, &version); err != nil {
		return r, err
	}
	if version.Format > receiptFormat {
		return r, fmt.Errorf("receipt of format %d: %w", version.Format, segment.ErrVersion)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Receipt{}, err
	}
	if want, err := r.encode(); err != nil || !bytes.Equal(file, want) {
		return Receipt{}, statefile.ErrChanged
	}
	if r.Format != receiptFormat || r.Target != targetID || r.Segment != ref || r.Object == "" {
		return Receipt{}, errors.New("it is about something else than its name says")
	}
	return r, nil
}
