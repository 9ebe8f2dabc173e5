package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/metrics"
)

// statusServer serves /metrics and /healthz.
type statusServer struct {
	http.Server
	addr net.Addr
}

// serve begins to serve what the archiver tells of itself.
func serve(listen string, arc *archiver.Archiver) (*statusServer, error) {
	reg := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{metrics.New(arc), collectors.NewGoCollector(),
		collectors.NewBuildInfoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { health(w, arc) })
	s := &statusServer{addr: l.Addr()}
	s.Handler, s.ReadHeaderTimeout, s.WriteTimeout = mux, 10*time.Second, time.Minute
	go s.Serve(l)
	return s, nil
}

// health answers 200, or 503 and a line for each reason.
func health(w http.ResponseWriter, arc *archiver.Archiver) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	problems := arc.Health()
	if len(problems) == 0 {
		fmt.Fprintln(w, "ok")
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprint(w, reasons(problems))
}

// reasons is a line for each problem: an error may have several.
func reasons(problems []string) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&b, oneLine(errors.New(p)))
	}
	return b.String()
}
