package pages

import "io"

// What is read by range is fetched in pages. A header, a block of a table or a small object
// costs one request, and its neighbors need none.
const (
	PageSize = 32 << 10
	maxPaged = 1 << 20 // longer reads are not kept
)

// Cache keeps the pages that were used last. They are never changed.
type Cache = LRU[pageKey, []byte]

type pageKey struct {
	object int
	n      int64
}

// NewCache returns an empty cache of size bytes, and of eight pages at least.
func NewCache(size int64) *Cache { return NewLRU[pageKey, []byte](max(8*PageSize, size)) }

// Object reads an object through the cache.
type Object struct {
	Cache *Cache
	Id    int
	Src   io.ReaderAt
	Size  int64
}

// ReadAt implements io.ReaderAt: with one request, or none.
func (o *Object) ReadAt(b []byte, off int64) (int, error) {
	want := b[:max(0, min(int64(len(b)), o.Size-off))]
	short := error(nil)
	if len(want) < len(b) {
		short = io.EOF
	}
	if len(want) == 0 {
		return 0, short
	}
	if len(want) > maxPaged {
		n, err := o.Src.ReadAt(want, off)
		if n < len(want) {
			return n, err
		}
		return n, short
	}
	first, last := off/PageSize, (off+int64(len(want))-1)/PageSize
	pages := make([][]byte, last-first+1)
	if err := o.fill(pages, first); err != nil {
		return 0, err
	}
	n := 0
	for i, p := range pages {
		at := max(0, off-(first+int64(i))*PageSize)
		n += copy(want[n:], p[at:])
	}
	return n, short
}

// fill gets the pages from first on: what the cache lacks, from the first page to
// the last that it lacks, by one request.
func (o *Object) fill(pages [][]byte, first int64) error {
	lo, hi := -1, -1
	for i := range pages {
		b, ok := o.Cache.Get(pageKey{o.Id, first + int64(i)})
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
	from := (first + int64(lo)) * PageSize
	buf := make([]byte, min(int64(hi-lo)*PageSize, o.Size-from))
	if n, err := o.Src.ReadAt(buf, from); n < len(buf) {
		return err
	}
	for i := lo; i < hi; i++ {
		at := int64(i-lo) * PageSize
		end := min(at+PageSize, int64(len(buf)))
		pages[i] = buf[at:end:end]
		o.Cache.Put(pageKey{o.Id, first + int64(i)}, pages[i], PageSize)
	}
	return nil
}
