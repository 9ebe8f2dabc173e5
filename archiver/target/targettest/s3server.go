package targettest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// S3Server is a real S3 server, versitygw, that a test or a measurement has for itself. It listens
// on this machine only, and keeps each object as a file.
type S3Server struct {
	Endpoint  string // as in http://127.0.0.1:7070
	Region    string
	Bucket    string // is there, and empty at first
	AccessKey string
	Secret    string

	// Root holds a folder for each bucket. An object is a file in there, so that
	// a test can look at it, or damage it, behind the server's back.
	Root string

	// AccessLog is a file with a line for each request, written when it was answered.
	AccessLog string
}

// versitygw is the version that .ci/tools installs.
const versitygw = "versitygw-v1.8.0"

// ErrNoS3 is wrapped by the error of RunS3 on a machine without the server's program.
var ErrNoS3 = errors.New("no S3 server to test with: versitygw is neither installed nor named by VARVE_VERSITYGW; .ci/tools installs it")

// RunS3 starts a server that keeps its files in the folder dir, and lives until stop is called,
// once. .ci/tools installs the program in a folder of the user's cache. VARVE_VERSITYGW names
// another, and so does PATH.
func RunS3(dir string) (s *S3Server, stop func(), err error) {
	program, err := findS3()
	if err != nil {
		return nil, nil, err
	}
	s = &S3Server{
		Region: "us-east-1", Bucket: "varve",
		AccessKey: "varve-access", Secret: "varve-secret",
		Root: filepath.Join(dir, "objects"), AccessLog: filepath.Join(dir, "access.log"),
	}
	versions := filepath.Join(dir, "versions")
	if err := errors.Join(os.MkdirAll(filepath.Join(s.Root, s.Bucket), 0o700), os.MkdirAll(versions, 0o700)); err != nil {
		return nil, nil, err
	}
	for range 5 { // another process may take the port between the look and the start
		var addr string
		if addr, err = freeAddr(); err != nil {
			return nil, nil, err
		}
		s.Endpoint = "http://" + addr
		cmd := exec.Command(program, "--port", addr, "--access", s.AccessKey, "--secret", s.Secret, "--region", s.Region,
			"--health", "/health", "--access-log", s.AccessLog, "--quiet", "--keep-alive",
			"posix", "--versioning-dir", versions, s.Root)
		if stop, err = startServer(cmd, s.Endpoint+"/health"); err == nil {
			return s, stop, nil
		}
	}
	return nil, nil, fmt.Errorf("start %s: %w", program, err)
}

// StartS3 starts a server that lives as long as the test. Without its program on this machine
// the test is skipped: see RunS3.
//
// The environment of the process is set, for the test, so that the AWS
// libraries find the server's credentials there and nothing else anywhere. So
// the test cannot be a parallel one.
func StartS3(t *testing.T) *S3Server {
	t.Helper()
	s, stop, err := RunS3(t.TempDir())
	if errors.Is(err, ErrNoS3) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	s.Setenv(t)
	return s
}

// Env is the environment of a process that uses the server: it has the server's credentials, and
// hides all else that the AWS libraries look for.
func (s *S3Server) Env() []string {
	env := []string{"AWS_ACCESS_KEY_ID=" + s.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s.Secret, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull}
	for _, name := range []string{
		"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE",
		"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		env = append(env, name+"=")
	}
	return env
}

// Setenv gives the process the environment of Env, for the test.
func (s *S3Server) Setenv(t *testing.T) {
	t.Helper()
	for _, e := range s.Env() {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
}

// NoAWS hides from the AWS libraries, for the test, the user's credentials and settings, and the
// metadata service of the machine.
func NoAWS(t *testing.T) {
	t.Helper()
	(&S3Server{}).Setenv(t)
}

// URL names a target in the server's bucket. An empty prefix is the whole bucket.
func (s *S3Server) URL(prefix string) string {
	return s.URLAt(s.Endpoint, prefix)
}

// URLAt is URL for another way to the server, as through a [Proxy].
func (s *S3Server) URLAt(endpoint, prefix string) string {
	u := url.URL{Scheme: "s3", Host: s.Bucket, Path: "/" + prefix, RawQuery: "endpoint=" + endpoint}
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
	return "", fmt.Errorf("%w: %w", ErrNoS3, err)
}

// startServer starts cmd and waits until it answers at health. stop ends it.
func startServer(cmd *exec.Cmd, health string) (stop func(), err error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = func() {
		cmd.Process.Kill()
		<-ended
	}
	client := &http.Client{Timeout: time.Second}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		select {
		case err := <-ended:
			return nil, fmt.Errorf("it ended at once: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		res, err := client.Get(health)
		if err != nil {
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return stop, nil
		}
	}
	stop()
	return nil, fmt.Errorf("it did not answer at %s for 30 s", health)
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
