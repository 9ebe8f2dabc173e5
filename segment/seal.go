package segment

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
)

// Seal builds the footer of a segment whose records end at offset end, and
// returns its bytes, which belong there, and what they say. It walks all records
// and checks their values; a log must end with its End record, which holds no
// more than an order to itself, an output with its last put or delete: an output
// holds nothing else, in the table's order, without commits. The footer is read
// again by the code that will read it from the file, and compared entry by entry
// with what was collected, before it is returned. Sealing again gives the same
// bytes, whatever stands in the file from end on.
//
// It takes memory of about 96 bytes and twice the key for each entry, and the
// footer. The error is a *CorruptError for records that do not check or may not
// be sealed, otherwise the source's.
func (r *Reader) Seal(end int64) (footer []byte, sum *Summary, err error) {
	footer, sum, err = r.seal(end, func([]byte) {})
	return footer, sum, r.named(err)
}

// seal is Seal. It calls encoded with the footer before that is read back.
func (r *Reader) seal(end int64, encoded func([]byte)) ([]byte, *Summary, error) {
	if r.HeaderSize == 0 || end < r.HeaderSize || end > r.Size {
		return nil, nil, fmt.Errorf("seal: records of a file of %d bytes cannot end at %d", r.Size, end)
	}
	src := &hashing{src: r.src, sum: sha256.New()}
	c, err := r.collect(src, end)
	if err != nil {
		return nil, nil, err
	}
	t := &tableWriter{place: r.seed, base: end, out: make([]byte, 0, c.tableSize())}
	var e Entry
	for i := range c.items {
		c.entry(i, &e)
		t.add(&e)
	}
	footer := t.finish(&c.sum)
	if err := src.catchUp(end); err != nil {
		return nil, nil, err
	}
	src.sum.Write(footer)
	src.sum.Sum(c.sum.SHA256[:0])
	footer = appendDigest(footer, r.seed, end+int64(len(footer)-digestAt), c.sum.SHA256)
	c.sum.FileSize = end + int64(len(footer))
	encoded(footer)
	if err := r.readBack(footer, c); err != nil {
		return nil, nil, fmt.Errorf("footer does not read back: %w", err)
	}
	return footer, &c.sum, nil
}

// readBack opens the footer as if it stood in the file.
func (r *Reader) readBack(footer []byte, c *collected) error {
	end := c.sum.RecordsEnd
	sealed := *r
	sealed.src, sealed.Size = &overlay{r.src, footer, end}, c.sum.FileSize
	f, err := sealed.OpenFooter()
	if err != nil {
		return err
	}
	if f.Summary != c.sum {
		return corrupt(end, "summary is not what was collected")
	}
	cur := f.Cursor()
	var want Entry
	for i := range c.items {
		if !cur.Next() {
			break
		}
		c.entry(i, &want)
		if !cur.Entry.equal(&want) {
			return corrupt(want.Offset, "entry is not that of its record")
		}
	}
	if cur.Next() {
		return corrupt(end, "an entry of no record")
	}
	return cur.Err()
}

func (e *Entry) equal(o *Entry) bool {
	return e.Kind == o.Kind && e.Flags == o.Flags && e.Seq == o.Seq && e.Offset == o.Offset && e.Size == o.Size &&
		e.Expiry == o.Expiry && bytes.Equal(e.Key, o.Key) && bytes.Equal(e.Slots, o.Slots)
}

// overlay is src with other bytes from an offset on.
type overlay struct {
	src  io.ReaderAt
	tail []byte
	from int64
}

// ReadAt implements io.ReaderAt.
func (o *overlay) ReadAt(b []byte, off int64) (int, error) {
	if off >= o.from {
		return bytes.NewReader(o.tail).ReadAt(b, off-o.from)
	}
	return o.src.ReadAt(b, off)
}
