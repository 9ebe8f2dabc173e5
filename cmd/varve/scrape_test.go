package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/store"
)

// startEmbedder starts the program embedder, and returns its address and what brings
// it to rest.
func startEmbedder(t *testing.T, dir string) (addr string, rest func()) {
	t.Helper()
	exe, err := exec.LookPath("embedder")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	startChild(t, cmd)
	lines := bufio.NewScanner(out)
	next := func() string {
		if !lines.Scan() {
			t.Fatal("the embedder has ended")
		}
		return lines.Text()
	}
	return next(), func() {
		if _, err := io.WriteString(in, "rest\n"); err != nil {
			t.Fatal(err)
		}
		next()
	}
}

// startArchiver makes an archive in a folder and starts varve archive run to it, with
// more flags. It returns the address where the daemon tells of itself.
func startArchiver(t *testing.T, dir, archive string, flags ...string) (addr string) {
	t.Helper()
	if out, err := command(t, "archive", "init", "--to", archive).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	args := []string{"-d", dir, "archive", "run", "--to", archive, "--seal-after", "0", "--poll", "100ms", "--listen", "127.0.0.1:0"}
	cmd := command(t, append(args, flags...)...)
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	startChild(t, cmd)
	lines := bufio.NewScanner(errs)
	var said bytes.Buffer
	for lines.Scan() {
		fmt.Fprintln(&said, lines.Text())
		if _, a, ok := strings.Cut(lines.Text(), "/healthz on http://"); ok {
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = io.Copy(io.Discard, errs) })
			t.Cleanup(wg.Wait)
			return a
		}
	}
	t.Fatalf("the daemon has ended: %s", &said)
	return ""
}

// stats returns what the embedder's store says of itself.
func stats(t *testing.T, addr string) *embedded {
	t.Helper()
	_, body, err := httpGet("http://" + addr + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	s := new(embedded)
	if err := json.Unmarshal([]byte(body), s); err != nil {
		t.Fatal(err)
	}
	return s
}

// archiveStatus returns what varve archive status says of a store, by archive.
func archiveStatus(t *testing.T, dir string) map[string]*archiver.TargetStatus {
	t.Helper()
	out, err := command(t, "-d", dir, "archive", "status", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var s archiver.Status
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatal(err)
	}
	by := map[string]*archiver.TargetStatus{}
	for i := range s.Targets {
		by[strings.TrimPrefix(s.Targets[i].URL, "file://")] = &s.Targets[i]
	}
	return by
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// wantOfStore are the queries that a store's figures answer, and the answers by them.
func wantOfStore(s *embedded) map[string]float64 {
	want := map[string]float64{}
	for name, v := range map[string]float64{
		"store_objects": float64(s.Objects), "store_key_bytes": float64(s.KeyBytes), "store_index_bytes": float64(s.IndexBytes),
		"store_live_bytes": float64(s.LiveBytes), "store_file_bytes": float64(s.FileBytes), "store_segments": float64(len(s.Segments)),
		"store_last_sequence_number": float64(s.LastSeq), "store_unsealed_logs": float64(s.Unsealed),
		"store_unwritten_bytes": float64(s.Unwritten), "store_log_written_bytes_total": float64(s.Written),
		"store_disk_full": truth(s.DiskFull), "store_failed": truth(s.Failed != ""), "store_open_clean": 1,
		"store_sync_duration_seconds_count": float64(s.Syncs), "store_commit_wait_seconds_count": float64(s.Commits),
		"integrity_open_level": 1, "integrity_cut_bytes": 0, "integrity_open_findings": 0,
		"integrity_scrub_segments": float64(s.Scrub.Segments), "integrity_scrub_verified_segments": float64(s.Scrub.Verified),
		"integrity_scrub_read_bytes_total": float64(s.Scrub.Bytes), "integrity_scrub_findings_total": float64(s.Scrub.Found),
		"integrity_oldest_verified_timestamp_seconds": seconds(s.Scrub.Oldest),
	} {
		want["varve_"+name+`{store="test"}`] = v
	}
	want[`resets(varve_store_log_written_bytes_total[1h])`] = 0
	want[`varve_store_commit_wait_seconds_bucket{le="+Inf"}`] = float64(s.Commits)
	return want
}

// seconds is a time as the store's collector tells it.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixNano()) / 1e9
}

// wantOfArchiver are the queries that the daemon of a target answers.
func wantOfArchiver(job string, s *archiver.TargetStatus) map[string]float64 {
	want := map[string]float64{}
	for name, v := range map[string]float64{
		"shipped_segments_total": float64(s.Counts.Shipped), "shipped_bytes_total": float64(s.Counts.Bytes),
		"found_segments_total": float64(s.Counts.Found), "failures_total": float64(s.Counts.Failures),
		"backlog_segments": float64(s.Segments), "backlog_bytes": float64(s.Bytes),
		"ship_duration_seconds_count": float64(s.Counts.Shipped), "ship_size_bytes_count": float64(s.Counts.Shipped),
		"ship_size_bytes_sum": float64(s.Counts.Bytes),
	} {
		want[fmt.Sprintf("varve_archiver_%s{job=%q,target=%q}", name, job, s.URL)] = v
	}
	last := 0.0
	if !s.Last.IsZero() {
		last = float64(s.Last.Unix())
	}
	want[fmt.Sprintf("varve_archiver_last_success_timestamp_seconds{job=%q}", job)] = last
	want[fmt.Sprintf("sum(varve_archiver_alarm{job=%q})", job)] = 0
	want[fmt.Sprintf("sum(varve_archiver_store_alarm{job=%q})", job)] = 0
	return want
}

// segmentFiles counts the sealed segments below a folder, and their bytes.
func segmentFiles(t *testing.T, dir string) (n, size int64) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".seg" {
			return err
		}
		info, err := d.Info()
		n, size = n+1, size+info.Size()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n, size
}

// TestPrometheusSeesWhatIs lets a Prometheus server scrape a program that writes to its
// store, a daemon that ships it, and one that ships next to nothing. At rest
// what its queries answer is what the store, the status and the files say.
func TestPrometheusSeesWhatIs(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes four programs and some seconds")
	}
	findPrometheus(t, "prometheus")
	tmp := t.TempDir()
	dir, good, slow := tmp+"/s", tmp+"/good", tmp+"/slow"
	writer, rest := startEmbedder(t, dir)
	quick := startArchiver(t, dir, good, "--max-lag", "1h")
	late := startArchiver(t, dir, slow, "--rate", "1", "--max-lag", "1s")
	p := startPrometheus(t, map[string]string{"store": writer, "quick": quick, "late": late})

	eventually(t, func() string { // it looks while there is work
		return p.differ(map[string]float64{
			`changes(varve_store_last_sequence_number[1h]) > bool 5`:                   1,
			`changes(varve_archiver_shipped_segments_total{job="quick"}[1h]) > bool 2`: 1,
			`varve_archiver_backlog_segments{job="late"} > bool 2`:                     1,
		})
	})
	rest()
	eventually(t, func() string { return p.differ(wantOfStore(stats(t, writer))) })
	eventually(t, func() string {
		status := archiveStatus(t, dir)
		if status[good] == nil || status[slow] == nil {
			return fmt.Sprintf("the status lacks an archive: %v", status)
		}
		return p.differ(wantOfArchiver("quick", status[good])) + p.differ(wantOfArchiver("late", status[slow]))
	})

	n, size := segmentFiles(t, good)
	if stored, bytes := segmentFiles(t, dir); stored != n || bytes != size {
		t.Errorf("the store has %d sealed segments of %d bytes, the archive %d of %d", stored, bytes, n, size)
	}
	s := archiveStatus(t, dir)
	if s[slow].Segments != int(n) || s[slow].Bytes != size {
		t.Errorf("at a byte a second, %d segments of %d bytes are late, want all %d of %d", s[slow].Segments, s[slow].Bytes, n, size)
	}
	if d := p.differ(map[string]float64{
		`varve_archiver_shipped_segments_total{job="quick"}`:         float64(n),
		`varve_archiver_shipped_bytes_total{job="quick"}`:            float64(size),
		`varve_archiver_oldest_unshipped_age_seconds{job="quick"}`:   0,
		`varve_archiver_last_drill_timestamp_seconds{job="quick"}`:   0,
		`process_open_fds{job="quick"} > bool 0`:                     1,
		`ALERTS{alertname="VarveNoDrill",job="late"}`:                1,
		`count(ALERTS{alertname="VarveStoreFailed"}) or vector(0)`:   0,
		`count(ALERTS{alertname="VarveArchiveAlarm"}) or vector(0)`:  0,
		`count(ALERTS{alertname="VarveArchiveBehind"}) or vector(0)`: 0,
	}); d != "" {
		t.Error(d)
	}
	oldestIsOld(t, p, dir)
	for _, addr := range []string{writer, quick, late} {
		_, text, err := httpGet("http://" + addr + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		promtool(t, text, "check", "metrics")
	}
}

// oldestIsOld compares the age of the oldest segment that is late with its file. The
// server's time of a scrape is before the age is taken by no more than the scrape's
// limit.
func oldestIsOld(t *testing.T, p *promServer, dir string) {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "00000000000000000001.seg"))
	if err != nil {
		t.Fatal(err)
	}
	const age = `varve_archiver_oldest_unshipped_age_seconds{job="late"}`
	since, err := p.ask("timestamp(" + age + ") - " + age)
	if err != nil {
		t.Fatal(err)
	}
	if got := since - seconds(info.ModTime()); math.Abs(got) > 1 {
		t.Errorf("the oldest segment waits since %v seconds after it was sealed", got)
	}
}

// healthOf returns what /healthz answers.
func healthOf(t *testing.T, addr string) (int, string) {
	t.Helper()
	code, body, err := httpGet("http://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	return code, body
}

// TestHealthzSaysWhatIsWrong wants 200, then 503 with the reason: of a backlog that is
// old, and of an alarm.
func TestHealthzSaysWhatIsWrong(t *testing.T) {
	tmp := t.TempDir()
	dir := tmp + "/s"
	db, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	quick := startArchiver(t, dir, tmp+"/good")
	late := startArchiver(t, dir, tmp+"/slow", "--rate", "1", "--max-lag", "1s")
	for _, addr := range []string{quick, late} {
		if code, body := healthOf(t, addr); code != http.StatusOK || body != "ok\n" {
			t.Errorf("at first %d %q", code, body)
		}
	}
	becomes := func(addr string, want int, reason string) {
		t.Helper()
		eventually(t, func() string {
			if code, body := healthOf(t, addr); code != want || !strings.Contains(body, reason) {
				return fmt.Sprintf("%d %q, want %d %q", code, body, want, reason)
			}
			return ""
		})
	}
	if err := db.Put([]byte("a"), make([]byte, 1<<20)); err != nil { // more than goes out at once at any rate
		t.Fatal(err)
	}
	if _, err := db.Seal(); err != nil {
		t.Fatal(err)
	}
	becomes(late, http.StatusServiceUnavailable, "has been waiting for")
	eventually(t, func() string {
		if s := archiveStatus(t, dir)[tmp+"/good"]; s == nil || s.Receipts != 1 {
			return fmt.Sprintf("not shipped: %+v", s)
		}
		return ""
	})
	if code, body := healthOf(t, quick); code != http.StatusOK {
		t.Errorf("with nothing late %d %q", code, body)
	}
	stray := filepath.Join(dir, "00000000000000000007.seg")
	if err := os.WriteFile(stray, []byte("no segment"), 0o400); err != nil {
		t.Fatal(err)
	}
	becomes(quick, http.StatusServiceUnavailable, "damaged: ")
	if err := os.Remove(stray); err != nil {
		t.Fatal(err)
	}
	becomes(quick, http.StatusOK, "ok\n")
}
