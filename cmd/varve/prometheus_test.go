package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// findPrometheus returns the path of prometheus or promtool. Where they are
// not on this machine the test is skipped; .ci/tools fetches them, into the user's
// cache. VARVE_PROMETHEUS names another folder, and so does PATH.
func findPrometheus(t *testing.T, program string) string {
	t.Helper()
	if dir := os.Getenv("VARVE_PROMETHEUS"); dir != "" {
		return filepath.Join(dir, program)
	}
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	cache, err := os.UserCacheDir()
	if err == nil {
		path := filepath.Join(cache, "varve", "prometheus", program)
		if _, err = os.Stat(path); err == nil {
			return path
		}
	}
	t.Skipf("no %s is installed or named by VARVE_PROMETHEUS; .ci/tools fetches it: %v", program, err)
	return ""
}

// promServer is a Prometheus server that lives as long as the test.
type promServer struct{ url string }

// startPrometheus has a server scrape the addresses, each as a job, and evaluate the
// rules of docs/metrics.md.
func startPrometheus(t *testing.T, jobs map[string]string) *promServer {
	t.Helper()
	program := findPrometheus(t, "prometheus")
	dir := t.TempDir()
	config := "global: {scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}\n" +
		"rule_files: [rules.yml]\nscrape_configs:\n"
	for job, addr := range jobs {
		config += fmt.Sprintf("  - {job_name: %s, static_configs: [{targets: ['%s']}]}\n", job, addr)
	}
	writeFiles(t, dir, map[string]string{"prometheus.yml": config, "rules.yml": documentedRules(t)})
	var said bytes.Buffer
	for range 5 { // another process may take the port between the look and the start
		addr := freeAddr(t)
		said.Reset()
		cmd := exec.Command(program, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
			"--web.listen-address="+addr, "--log.level=warn")
		cmd.Stderr = &said
		stop := startChild(t, cmd)
		s := &promServer{"http://" + addr}
		if s.ready(30 * time.Second) {
			return s
		}
		stop()
	}
	t.Fatalf("prometheus does not start: %s", &said)
	return nil
}

// startChild starts a program that is killed at the end of the test, or by stop.
func startChild(t *testing.T, cmd *exec.Cmd) (stop func()) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// freeAddr returns an address that nobody listens at.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// httpGet returns status and body.
func httpGet(addr string) (int, string, error) {
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Get(addr)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func (s *promServer) ready(limit time.Duration) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if code, _, err := httpGet(s.url + "/-/ready"); err == nil && code == http.StatusOK {
			return true
		}
	}
	return false
}

// errNoSeries is the error of a query that one series alone would answer.
var errNoSeries = errors.New("not one series")

// ask returns the value of a query whose answer is one series.
func (s *promServer) ask(query string) (float64, error) {
	code, body, err := httpGet(s.url + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return 0, err
	}
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
		Error string
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || code != http.StatusOK {
		return 0, fmt.Errorf("%s: %d %s: %w", query, code, body, errors.Join(err, errors.New(answer.Error)))
	}
	if len(answer.Data.Result) != 1 {
		return 0, fmt.Errorf("%s: %w but %d", query, errNoSeries, len(answer.Data.Result))
	}
	v, _ := answer.Data.Result[0].Value[1].(string)
	return strconv.ParseFloat(v, 64)
}

// differ asks each query, and returns those whose answer is not the wanted one.
func (s *promServer) differ(want map[string]float64) string {
	var b strings.Builder
	for query, w := range want {
		if got, err := s.ask(query); err != nil {
			fmt.Fprintln(&b, err)
		} else if got != w {
			fmt.Fprintf(&b, "%s is %v, want %v\n", query, got, w)
		}
	}
	return b.String()
}

// eventually asks until what returns nothing. A machine may be slow; that
// something never comes is the failure.
func eventually(t *testing.T, what func() string) {
	t.Helper()
	last := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if last = what(); last == "" {
			return
		}
	}
	t.Fatalf("after a minute:\n%s", last)
}

// documentedRules returns the rules that docs/metrics.md shows.
func documentedRules(t *testing.T) string {
	t.Helper()
	return "groups:\n" + between(t, readFile(t, metricsDoc), "```yaml\ngroups:\n", "```")
}

// promtool runs it, and wants nothing wrong.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := exec.Command(findPrometheus(t, "promtool"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
