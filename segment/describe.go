package segment

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// Describe writes what Dump finds in the first size bytes of src as a tree for
// people to read: one line or a few for each part, each with its offset, and a
// line that begins with "!" for whatever does not check. The error is that of w
// or of the source; damage is none.
func Describe(w io.Writer, src io.ReaderAt, size int64) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "segment file of %d bytes\n", size)
	for x, err := range Dump(src, size) {
		if err != nil {
			b.Flush()
			return err
		}
		x.describe(b)
	}
	return b.Flush()
}

func (x *Item) describe(w io.Writer) {
	indent := "  "
	switch {
	case x.Header != nil:
		x.Header.describe(w, x.Size)
	case x.Record != nil:
		x.Record.describe(w, x.Offset, x.Size)
		indent = "    "
	case x.Footer != nil:
		x.Footer.describe(w, x.Offset, x.Size)
	case x.Block != nil:
		fmt.Fprintf(w, "  block at %d, %d bytes: entries %d, first key %s\n", x.Offset, x.Size, x.Block.Entries, x.Block.FirstKey)
		indent = "    "
	case x.What == "footer":
		fmt.Fprintf(w, "footer, at or after %d\n", x.Offset)
	case x.What == "damage" && x.Offset == 0:
		indent = ""
	default:
		fmt.Fprintf(w, "  ! %d bytes that are no record at %d: %s\n", x.Size, x.Offset, x.Problem)
		return
	}
	if x.Problem != "" {
		fmt.Fprintf(w, "%s! %s\n", indent, x.Problem)
	}
}

func (h *HeaderItem) describe(w io.Writer, size int64) {
	fmt.Fprintf(w, "header at 0, %d bytes, format version %d\n", size, h.Version)
	fmt.Fprintf(w, "  %s %v/%v of store %v\n", h.Kind, h.Timeline, h.ID, h.UUID)
	fmt.Fprintf(w, "  first sequence number %d, created %s\n", h.FirstSeq, stamp(h.Time))
	if h.Parent != "" {
		fmt.Fprintf(w, "  parent %s up to sequence number %d\n", h.Parent, h.ParentSeq)
	}
	if h.Replaced != "" {
		fmt.Fprintf(w, "  instead of %s\n", h.Replaced)
	}
	if h.NextID != 0 {
		fmt.Fprintf(w, "  next id %v\n", h.NextID)
	}
	list(w, "  live", h.Live)
	list(w, "  retired", h.Retired)
}

func (r *RecordItem) describe(w io.Writer, off, size int64) {
	fmt.Fprintf(w, "  %s at %d, %d bytes, sequence number %d", r.Kind, off, size, r.Seq)
	if r.Key != "" {
		fmt.Fprintf(w, ", key %s (%d bytes), value of %d bytes", r.Key, r.KeySize, r.ValueSize)
	}
	if len(r.Flags) > 0 {
		fmt.Fprintf(w, " [%s]", strings.Join(r.Flags, " "))
	}
	fmt.Fprintf(w, " head %s value %s\n", verdict(r.HeadOK), verdict(r.ValueOK))
	if !r.Time.IsZero() {
		fmt.Fprintf(w, "    committed %s\n", stamp(r.Time))
	}
	if r.Vouch != nil {
		fmt.Fprintf(w, "    on the disk up to %d\n", *r.Vouch)
	}
	if !r.Expiry.IsZero() {
		fmt.Fprintf(w, "    expires %s\n", stamp(r.Expiry))
	}
	if r.MetaSize > 0 {
		fmt.Fprintf(w, "    meta of %d bytes\n", r.MetaSize)
	}
	for _, s := range r.Slots {
		fmt.Fprintf(w, "    slot %d %s\n", s.Number, s.Value)
	}
	list(w, "    retire", r.Retire)
	list(w, "    adopt", r.Adopt)
	if r.Successor != "" {
		fmt.Fprintf(w, "    successor %s\n", r.Successor)
	}
	if r.Kind == Close.String() && r.ValueOK {
		fmt.Fprintf(w, "    closed in the file with inode %d, born %s\n", r.Inode, stamp(r.Birth))
	}
}

func (f *FooterItem) describe(w io.Writer, off, size int64) {
	fmt.Fprintf(w, "footer at %d, %d bytes\n", off, size)
	fmt.Fprintf(w, "  entries %d in %d blocks: puts %d (%d bytes), deletes %d; batches %d; other records %d\n",
		f.Entries, f.Blocks, f.Puts, f.PutBytes, f.Deletes, f.Batches, f.Others)
	if f.Entries > 0 {
		fmt.Fprintf(w, "  sequence numbers %d to %d\n", f.FirstSeq, f.LastSeq)
	}
	if !f.LastTime.IsZero() {
		fmt.Fprintf(w, "  committed %s to %s\n", stamp(f.FirstTime), stamp(f.LastTime))
	}
	fmt.Fprintf(w, "  SHA-256 %s %s\n", f.SHA256, verdict(f.DigestOK))
}

func list(w io.Writer, name string, items []string) {
	if len(items) > 0 {
		fmt.Fprintf(w, "%s %s\n", name, strings.Join(items, " "))
	}
}

func verdict(ok bool) string {
	if ok {
		return "ok"
	}
	return "BAD"
}

func stamp(t time.Time) string { return t.Format(time.RFC3339Nano) }
