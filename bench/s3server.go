package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/archiver/target/s3"
)

// versitygw is the version that .ci/tools installs.
const versitygw = "versitygw-v1.8.0"

// s3Server is a real S3 server, on the loopback interface. Each object is a file.
type s3Server struct {
	endpoint string
	bucket   string // a folder with the files
	cmd      *exec.Cmd
	ended    chan error
}

// needS3 starts the server of the stage, or returns the one that runs. Without the
// program the experiment is skipped.
func (s *stage) needS3() (*s3Server, error) {
	if s.s3 != nil {
		return s.s3, nil
	}
	program, err := findS3()
	if err != nil {
		return nil, err
	}
	root, err := s.folder("s3")
	if err != nil {
		return nil, err
	}
	v := &s3Server{bucket: filepath.Join(root, "objects", "varve")}
	versions := filepath.Join(root, "versions")
	if err := errors.Join(os.MkdirAll(v.bucket, 0o700), os.MkdirAll(versions, 0o700)); err != nil {
		return nil, err
	}
	for range 5 { // another process may take the port between the look and the start
		addr, aerr := freeAddr()
		if aerr != nil {
			return nil, aerr
		}
		v.endpoint = "http://" + addr
		v.cmd = exec.CommandContext(s.ctx, program, "--port", addr, "--access", s3Access, "--secret", s3Secret, "--region", "us-east-1",
			"--health", "/health", "--quiet", "--keep-alive", "posix", "--versioning-dir", versions, filepath.Dir(v.bucket))
		if err = v.start(s.ctx); err == nil {
			s.s3 = v
			return v, nil
		}
	}
	return nil, err
}

// stopS3 ends the server.
func (s *stage) stopS3() {
	if s.s3 != nil {
		s.s3.stop()
	}
}

// The credentials of the server.
const s3Access, s3Secret = "bench-access", "bench-secret"

// env is the environment of a child that uses the server, and nobody else's.
func (v *s3Server) env() []string {
	env := []string{
		"AWS_ACCESS_KEY_ID=" + s3Access, "AWS_SECRET_ACCESS_KEY=" + s3Secret, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
	for _, name := range []string{"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"} {
		env = append(env, name+"=")
	}
	return env
}

// url names a folder in the server's bucket.
func (v *s3Server) url(prefix string) string {
	u := url.URL{Scheme: "s3", Host: filepath.Base(v.bucket), Path: "/" + prefix, RawQuery: "endpoint=" + url.QueryEscape(v.endpoint)}
	return u.String()
}

// findS3 returns the path of the server's program.
func findS3() (string, error) {
	if path := os.Getenv("VARVE_VERSITYGW"); path != "" {
		return path, nil
	}
	if path, err := exec.LookPath("versitygw"); err == nil {
		return path, nil
	}
	cache, err := os.UserCacheDir()
	if err == nil {
		path := filepath.Join(cache, "varve", versitygw, "versitygw")
		if _, err = os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: versitygw, an S3 server, is not installed, nor named by VARVE_VERSITYGW; .ci/tools installs it", errSkip)
}

// start starts the program and waits until it answers.
func (v *s3Server) start(ctx context.Context) error {
	if err := v.cmd.Start(); err != nil {
		return err
	}
	v.ended = make(chan error, 1)
	go func() { v.ended <- v.cmd.Wait() }()
	client := &http.Client{Timeout: time.Second}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; {
		select {
		case err := <-v.ended:
			return fmt.Errorf("versitygw ended at once: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		res, err := client.Get(v.endpoint + "/health")
		if err != nil {
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return nil
		}
	}
	v.stop()
	return errors.New("versitygw did not answer for 30 s")
}

func (v *s3Server) stop() {
	v.cmd.Process.Kill()
	<-v.ended
}

// freeAddr returns an address of this machine at which nothing listens.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// traffic counts what goes over HTTP.
type traffic struct {
	requests, received atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (c *traffic) RoundTrip(r *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		res.Body = &counted{res.Body, c}
	}
	return res, err
}

// into adds what was counted to f.
func (c *traffic) into(f figures, name string) {
	f[name+"requests"], f[name+"received"] = float64(c.requests.Swap(0)), float64(c.received.Swap(0))
}

// openTarget opens the archive in a folder, or at an S3 URL. c, where it is not nil,
// counts what goes over HTTP.
func openTarget(ctx context.Context, where string, c *traffic) (target.Target, error) {
	if !strings.HasPrefix(where, "s3://") {
		return dir.Open(where, nil)
	}
	u, err := url.Parse(where)
	if err != nil {
		return nil, err
	}
	o := s3.Options{Bucket: u.Host, Prefix: u.Path, Endpoint: u.Query().Get("endpoint")}
	if c != nil {
		o.HTTPClient = &http.Client{Transport: c}
	}
	return s3.Open(ctx, o)
}
