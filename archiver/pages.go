package archiver

import "io"

// What is read by range is fetched in pages: a header, a block of a table, a small
// object each cost one request, and what lies beside them is there for the next.
const (
	pageSize = 32 << 10
	maxPaged = 1 << 20 // longer reads are not kept
)

// pageCache keeps the pages that were used last. They are never changed.
type pageCache = lru[pageKey, []byte]

type pageKey struct {
	object int
	n      int64
}

func newPageCache(size int64) *pageCache { return newLRU[pageKey, []byte](max(8*pageSize, size)) }

// pagedObject reads an object through the cache.
type pagedObject struct {
	cache *pageCache
	id    int
	src   io.ReaderAt
	size  int64
}

// ReadAt implements io.ReaderAt: with one request, or none.
func (o *pagedObject) ReadAt(b []byte, off int64) (int, error) {
	want := b[:max(0, min(int64(len(b)), o.size-off))]
	short := error(nil)
	if len(want) < len(b) {
		short = io.EOF
	}
	if len(want) == 0 {
		return 0, short
	}
	if len(want) > maxPaged {
		n, err := o.src.ReadAt(want, off)
		if n < len(want) {
			return n, err
		}
		return n, short
	}
	first, last := off/pageSize, (off+int64(len(want))-1)/pageSize
	pages := make([][]byte, last-first+1)
	if err := o.fill(pages, first); err != nil {
		return 0, err
	}
	n := 0
	for i, p := range pages {
		at := max(0, off-(first+int64(i))*pageSize)
		n += copy(want[n:], p[at:])
	}
	return n, short
}

// fill gets the pages from first on: what the cache lacks, from the first page to
// the last that it lacks, by one request.
func (o *pagedObject) fill(pages [][]byte, first int64) error {
	lo, hi := -1, -1
	for i := range pages {
		b, ok := o.cache.get(pageKey{o.id, first + int64(i)})
		if pages[i] = b; !ok {
			if lo < 0 {
				lo = i
			}
			hi = i + 1
		}
	}
	if lo < 0 {
		return nil
	}
	from := (first + int64(lo)) * pageSize
	buf := make([]byte, min(int64(hi-lo)*pageSize, o.size-from))
	if n, err := o.src.ReadAt(buf, from); n < len(buf) {
		return err
	}
	for i := lo; i < hi; i++ {
		at := int64(i-lo) * pageSize
		end := min(at+pageSize, int64(len(buf)))
		pages[i] = buf[at:end:end]
		o.cache.put(pageKey{o.id, first + int64(i)}, pages[i], pageSize)
	}
	return nil
}
