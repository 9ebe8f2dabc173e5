package targettest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// A Proxy stands between an HTTP client and its server, and injects faults of networks and
// servers into requests. It passes all other requests on.
type Proxy struct {
	URL string // what the client is given in place of the server's

	upstream *url.URL
	closed   chan struct{} // ends what stalls

	mu       sync.Mutex // guards all below
	faults   []*injected
	requests []string
}

// injected is a fault that waits for its requests.
type injected struct {
	fault Fault
	match func(*http.Request) bool
	times int // how many requests more; negative: all
}

// A Fault is what happens to one request. forward sends it on and writes the
// answer. A fault that returns without an answer answers 200.
type Fault func(p *Proxy, w http.ResponseWriter, r *http.Request, forward http.Handler)

// StartProxy starts a proxy before the server at the URL given. It lives as long as
// the test.
func StartProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	upstream, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{upstream: upstream, closed: make(chan struct{})}
	s := httptest.NewServer(p.handler())
	p.URL = s.URL
	t.Cleanup(func() {
		close(p.closed)
		s.Close()
	})
	return p
}

// Inject lets the next requests that match, as many as times says, suffer the
// fault; all of them from now on, if times is negative. match may be nil, for
// every request. Faults that wait are looked at in the order of their injection.
func (p *Proxy) Inject(times int, match func(*http.Request) bool, f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &injected{f, match, times})
}

// Clear forgets the faults that wait for requests.
func (p *Proxy) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// Requests returns the method and path of each request so far, as in
// "PUT /bucket/name".
func (p *Proxy) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Method matches the requests of one method.
func Method(name string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == name }
}

// LoseReply passes the request on, waits for the answer, and then cuts the client off: the
// request was carried out, and the client does not know.
func LoseReply() Fault {
	return func(p *Proxy, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		forward.ServeHTTP(httptest.NewRecorder(), r)
		reset(w)
	}
}

// ResetAfter cuts client and server off when n bytes of the request's body were
// passed on.
func ResetAfter(n int64) Fault {
	return func(p *Proxy, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		r = r.WithContext(ctx)
		r.Body = &cutBody{ReadCloser: r.Body, left: n, cut: cancel}
		forward.ServeHTTP(httptest.NewRecorder(), r)
		reset(w)
	}
}

// CutReply passes the request on, and cuts the client off after n bytes of the
// answer's body.
func CutReply(n int) Fault {
	return func(p *Proxy, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		rec := httptest.NewRecorder()
		forward.ServeHTTP(rec, r)
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		body := rec.Body.Bytes()
		w.Write(body[:min(n, len(body))])
		http.NewResponseController(w).Flush()
		reset(w)
	}
}

// Answer answers with an error of S3, and passes nothing on.
func Answer(status int, code string) Fault {
	return func(p *Proxy, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		io.Copy(io.Discard, r.Body)
		answer(w, status, code)
	}
}

// AnswerLate passes the request on, and then answers as if it had failed.
func AnswerLate(status int, code string) Fault {
	return func(p *Proxy, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		forward.ServeHTTP(httptest.NewRecorder(), r)
		answer(w, status, code)
	}
}

// Stall takes the request and does nothing more, until the client goes away.
func Stall() Fault {
	return func(p *Proxy, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		io.Copy(io.Discard, r.Body) // only then a client that goes away is noticed
		select {
		case <-r.Context().Done():
		case <-p.closed:
		}
		panic(http.ErrAbortHandler)
	}
}

// Slow passes the request on at so many bytes a second.
func Slow(rate int64) Fault {
	return func(p *Proxy, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		r.Body = &slowBody{r.Body, rate}
		forward.ServeHTTP(w, r)
	}
}

// handler gives each request to its fault, or passes it on.
func (p *Proxy) handler() http.Handler {
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(p.upstream)
			r.Out.Host = r.In.Host // which the client signed
			r.Out.Header.Del("Expect")
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			answer(w, http.StatusBadGateway, "BadGateway")
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := p.take(r); f != nil {
			f(p, w, r, forward)
			return
		}
		forward.ServeHTTP(w, r)
	})
}

// take notes a request and returns the fault that waits for it, or nil.
func (p *Proxy) take(r *http.Request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r.Method+" "+r.URL.Path)
	for _, f := range p.faults {
		if f.times != 0 && (f.match == nil || f.match(r)) {
			f.times--
			return f.fault
		}
	}
	return nil
}

// answer writes an error as S3 servers write it.
func answer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>injected</Message></Error>`, code)
}

// reset ends the client's connection with a TCP reset, as a crashed machine would.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// cutBody is a body that calls cut after so many bytes.
type cutBody struct {
	io.ReadCloser
	left int64
	cut  func()
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.cut()
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// slowBody is a body at so many bytes a second.
type slowBody struct {
	io.ReadCloser
	rate int64
}

func (b *slowBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), max(1, b.rate/20))])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(b.rate))
	return n, err
}
