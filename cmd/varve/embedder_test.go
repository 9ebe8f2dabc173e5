package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/varve-db/varve/store"
	"github.com/varve-db/varve/store/metrics"
)

// embedded is what the program embedder says of its store.
type embedded struct {
	store.Stats
	Commits int64 `json:"commits"`
}

// embedder is the program "embedder STORE": it has a store inside, as the programs of
// users do, and serves its figures: on /metrics for Prometheus, on /stats what
// Stats says. It prints its address. It writes until it reads a line, prints one when
// it does not any more, and ends with its standard input.
func embedder() {
	o := &store.Options{SegmentSize: 64 << 10, Scrub: store.ScrubOptions{Rate: 1 << 20}}
	db, err := store.Open(os.Args[1], o)
	noError(err)
	noError(db.Put([]byte("first"), make([]byte, 1<<20)))
	_, err = db.Seal() // so that there is a segment to scrub
	noError(err)
	noError(db.Close())
	db, err = store.Open(os.Args[1], o)
	noError(err)
	var commits atomic.Int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	noError(err)
	reg := prometheus.NewRegistry()
	noError(reg.Register(metrics.New(db, prometheus.Labels{"store": "test"})))
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/stats", func(w http.ResponseWriter, _ *http.Request) {
		noError(json.NewEncoder(w).Encode(embedded{db.Stats(), commits.Load()}))
	})
	go func() { noError(http.Serve(l, mux)) }()
	fmt.Println(l.Addr())
	in := bufio.NewScanner(os.Stdin)
	work(db, &commits, in)
	fmt.Println("at rest")
	for in.Scan() {
	}
	noError(db.Close())
}

// work puts and deletes from several goroutines until there is a line. It leaves
// sealed segments, and a log that holds one object.
func work(db *store.DB, commits *atomic.Int64, in *bufio.Scanner) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				key := fmt.Appendf(nil, "%d/%d", g, i%1000)
				if i%5 == 4 {
					noError(db.Delete(fmt.Appendf(nil, "%d/%d", g, (i-2)%1000)))
				} else {
					noError(db.Put(key, make([]byte, 100*(i%70))))
				}
				commits.Add(1)
			}
		})
	}
	in.Scan()
	close(stop)
	wg.Wait()
	_, err := db.Seal()
	noError(err)
	for db.Stats().Unsealed > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	noError(db.Put([]byte("last"), nil))
	commits.Add(1)
}
