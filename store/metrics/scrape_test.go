package metrics

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/varve-db/varve/store"
)

// fill opens a store of so many keys, of sixteen bytes each, and no values, with all
// logs but the newest sealed.
func fill(tb testing.TB, keys int, segmentSize int64) *store.DB {
	tb.Helper()
	db, err := store.Open(filepath.Join(tb.TempDir(), "s"), &store.Options{Durability: store.SyncEvery(time.Second), SegmentSize: segmentSize})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	var b store.Batch
	for i := 0; i < keys; {
		b.Reset()
		for range min(10000, keys-i) {
			if err := b.Put(fmt.Appendf(nil, "%016d", i), nil); err != nil {
				tb.Fatal(err)
			}
			i++
		}
		if err := db.Apply(&b); err != nil {
			tb.Fatal(err)
		}
	}
	if err := db.Sync(); err != nil {
		tb.Fatal(err)
	}
	for db.Stats().Unsealed > 0 {
		time.Sleep(time.Millisecond)
	}
	return db
}

// scrape returns what scrapes a store, to the last byte of the answer.
func scrape(tb testing.TB, db *store.DB) func() {
	tb.Helper()
	reg := prometheus.NewRegistry()
	if err := reg.Register(New(db, nil)); err != nil {
		tb.Fatal(err)
	}
	h := promhttp.HandlerFor(reg, promhttp.HandlerOpts{DisableCompression: true})
	return func() {
		w := &sink{}
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if w.n == 0 || w.code != 0 && w.code != http.StatusOK {
			tb.Fatalf("status %d, %d bytes", w.code, w.n)
		}
	}
}

// sink is a http.ResponseWriter that counts.
type sink struct {
	header http.Header
	code   int
	n      int
}

func (s *sink) Header() http.Header {
	if s.header == nil {
		s.header = http.Header{}
	}
	return s.header
}
func (s *sink) WriteHeader(code int) { s.code = code }
func (s *sink) Write(p []byte) (int, error) {
	s.n += len(p)
	return io.Discard.Write(p)
}

// TestScrapeDoesNotGrowWithTheStore counts the allocations of a scrape.
func TestScrapeDoesNotGrowWithTheStore(t *testing.T) {
	allocs := func(keys int) float64 {
		f := scrape(t, fill(t, keys, 512<<10))
		f() // pools and caches
		return testing.AllocsPerRun(20, f)
	}
	small, large := allocs(1000), allocs(200_000)
	if large > small*1.05 { // other goroutines of the store, and the race detector's pools, may add some
		t.Errorf("a scrape of 1,000 keys allocates %v times, one of 200,000 keys %v times", small, large)
	}
	if small > 5000 {
		t.Errorf("a scrape allocates %v times", small)
	}
}

// BenchmarkScrape scrapes a store of VARVE_SCRAPE_KEYS keys, 100,000 without it, that
// nobody writes to, and one that is written to all the time.
func BenchmarkScrape(b *testing.B) {
	keys := 100_000
	if s := os.Getenv("VARVE_SCRAPE_KEYS"); s != "" {
		var err error
		if keys, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	db := fill(b, keys, 0)
	f := scrape(b, db)
	b.Run("quiet", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f()
		}
	})
	b.Run("writing", func(b *testing.B) {
		stop, ended := make(chan struct{}), make(chan error, 1)
		go func() { ended <- write(db, stop) }()
		for b.Loop() {
			f()
		}
		close(stop)
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	})
}

// write puts until it is told to stop.
func write(db *store.DB, stop <-chan struct{}) error {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := db.Put(fmt.Appendf(nil, "%016d", i%1000), make([]byte, 1000)); err != nil {
			return err
		}
	}
}
