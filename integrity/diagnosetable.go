package integrity

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/varve-db/varve/segment"
)

// nameKeys gives the findings that stand for a range of bytes the keys and
// sequence numbers that the table, as far as it is sound, says were there.
func (d *diagnosis) nameKeys(f *segment.Footer, ranges []damaged) error {
	if len(ranges) == 0 {
		return nil
	}
	type touched struct {
		keys  keys
		first uint64
		last  uint64
	}
	found := make([]touched, len(ranges))
	c := f.Cursor()
	for c.Next() {
		e := &c.Entry
		i, _ := slices.BinarySearchFunc(ranges, e.Offset, func(x damaged, off int64) int {
			if x.to <= off {
				return -1
			}
			return 1
		})
		if i == len(ranges) || e.Offset+e.Size <= ranges[i].from {
			continue
		}
		t := &found[i]
		if t.keys.n == 0 {
			t.first, t.last = e.Seq, e.Seq
		}
		t.first, t.last = min(t.first, e.Seq), max(t.last, e.Seq)
		t.keys.add(e.Key)
	}
	if err := c.Err(); err != nil {
		if segment.IsCorrupt(err) { // table adds the finding
			return nil
		}
		return err
	}
	for i, x := range ranges {
		if x.finding >= len(d.list) {
			break
		}
		fnd, t := &d.list[x.finding], &found[i]
		fnd.Keys, fnd.FirstSeq, fnd.LastSeq = t.keys.list, t.first, t.last
		fnd.Reason += t.keys.unnamed()
	}
	return nil
}

// sealed returns the footer that the records give, which are sound and end at
// an offset, and its bytes. The error is one of Seal.
func (d *diagnosis) sealed(end int64) (*segment.Footer, []byte, error) {
	b, sum, err := d.r.Seal(end)
	if err != nil {
		return nil, nil, err
	}
	r, err := segment.NewReader(WithFooter(d.src, b, end), sum.FileSize)
	if err != nil {
		return nil, nil, err
	}
	f, err := r.OpenFooter()
	return f, b, err
}

// footerOf says of a footer that does not check how far it is from the one that
// the records give, which are sound and end at an offset.
func (d *diagnosis) footerOf(end int64) error {
	_, want, err := d.sealed(end)
	if err != nil {
		return d.judged(DamagedRecord, err)
	}
	first, n := int64(-1), int64(0)
	buf := make([]byte, 64<<10)
	size := min(d.size-end, int64(len(want)))
	for at := int64(0); at < size; {
		b := buf[:min(int64(len(buf)), size-at)]
		if m, err := d.src.ReadAt(b, end+at); m < len(b) {
			return err
		}
		for i, c := range b {
			if c != want[at+int64(i)] {
				if n++; first < 0 {
					first = end + at + int64(i)
				}
			}
		}
		at += int64(len(b))
	}
	f := &d.list[len(d.list)-1]
	if first >= 0 {
		f.Reason += fmt.Sprintf("; the records are sound, and the footer that they give differs in %d of its bytes, from offset %d on", n, first)
		f.Offset = first
	}
	if have, due := d.size-end, int64(len(want)); have != due {
		f.Reason += fmt.Sprintf("; the file has %d bytes, and should have %d", d.size, end+due)
		f.Offset = min(f.Offset, end+due)
	}
	return nil
}

// compareTables names the entries in which a table that checks is not the one
// that the records give, which are sound.
func (d *diagnosis) compareTables(f *segment.Footer) error {
	right, _, err := d.sealed(f.RecordsEnd)
	if err != nil {
		return d.judged(DamagedRecord, err)
	}
	var missing, extra, changed difference
	a, b := right.Cursor(), f.Cursor()
	moreA, moreB := a.Next(), b.Next()
	for moreA || moreB {
		order := -1
		switch {
		case !moreA:
			order = 1
		case moreB:
			if order = bytes.Compare(a.Entry.Key, b.Entry.Key); order == 0 {
				order = cmp.Compare(b.Entry.Seq, a.Entry.Seq)
			}
		}
		switch {
		case order < 0:
			missing.add(&a.Entry, "")
		case order > 0:
			extra.add(&b.Entry, "")
		default:
			if what := entriesDiffer(&a.Entry, &b.Entry); what != "" {
				changed.add(&a.Entry, what)
			}
		}
		if order <= 0 {
			moreA = a.Next()
		}
		if order >= 0 {
			moreB = b.Next()
		}
	}
	for _, err := range []error{a.Err(), b.Err()} {
		if err != nil && !segment.IsCorrupt(err) {
			return err
		}
	}
	missing.tell(d, f, "the table lacks entries of records: %d; the first record is at offset %d")
	extra.tell(d, f, "the table has entries of no record: %d; the first names offset %d")
	changed.tell(d, f, "the table has entries that are not as their records: %d; the first is of the record at offset %d")
	if s := summaryDiffers(&right.Summary, &f.Summary); s != "" && len(d.list) == 0 {
		d.add(Finding{Kind: WrongTable, Offset: f.RecordsEnd, Reason: "the summary is not that of the records: " + s})
	}
	return nil
}

// summaryDiffers names the first field in which a summary is not as it must be.
func summaryDiffers(want, got *segment.Summary) string {
	for _, f := range []struct {
		name      string
		want, got int64
	}{
		{"end of the records", want.RecordsEnd, got.RecordsEnd},
		{"puts", want.Puts, got.Puts},
		{"deletes", want.Deletes, got.Deletes},
		{"other records", want.Others, got.Others},
		{"batches", want.Batches, got.Batches},
		{"bytes of puts", want.PutBytes, got.PutBytes},
		{"least sequence number", int64(want.FirstSeq), int64(got.FirstSeq)},
		{"greatest sequence number", int64(want.LastSeq), int64(got.LastSeq)},
		{"first commit time", want.FirstTime, got.FirstTime},
		{"last commit time", want.LastTime, got.LastTime},
	} {
		if f.want != f.got {
			return fmt.Sprintf("%s is %d, and should be %d", f.name, f.got, f.want)
		}
	}
	return ""
}

// entriesDiffer says in what two entries of the same key and number differ.
func entriesDiffer(a, b *segment.Entry) string {
	switch {
	case a.Kind != b.Kind:
		return "kind"
	case a.Flags != b.Flags:
		return "flags"
	case a.Offset != b.Offset:
		return "offset"
	case a.Size != b.Size:
		return "size"
	case a.Expiry != b.Expiry:
		return "expiry"
	case !bytes.Equal(a.Slots, b.Slots):
		return "slots"
	}
	return ""
}

// difference gathers entries that are wrong in one way.
type difference struct {
	keys   keys
	seqs   Finding
	offset int64  // of the record of the first
	what   string // is wrong with the first
}

func (x *difference) add(e *segment.Entry, what string) {
	if x.keys.n == 0 {
		x.offset, x.what = e.Offset, what
	}
	x.keys.add(e.Key)
	x.seqs.span(e.Seq, e.Seq)
}

// tell adds a finding if there are such entries.
func (x *difference) tell(d *diagnosis, f *segment.Footer, format string) {
	if x.keys.n == 0 {
		return
	}
	reason := fmt.Sprintf(format, x.keys.n, x.offset)
	if x.what != "" {
		reason += ", in its " + x.what
	}
	d.add(Finding{Kind: WrongTable, Offset: f.RecordsEnd, Reason: reason + x.keys.unnamed(), Keys: x.keys.list,
		FirstSeq: x.seqs.FirstSeq, LastSeq: x.seqs.LastSeq})
}
