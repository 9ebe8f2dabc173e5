package targettest

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// S3Server is a real S3 server, versitygw, that a test has for itself. It listens
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

// StartS3 starts a server that lives as long as the test. Without a versitygw on
// this machine the test is skipped; .ci/tools installs one, in a folder of the user's
// cache. VARVE_VERSITYGW names another, and so does PATH.
//
// The environment of the process is set, for the test, so that the AWS
// libraries find the server's credentials there and nothing else anywhere. So
// the test cannot be a parallel one.
func StartS3(t *testing.T) *S3Server {
	t.Helper()
	program, err := findS3()
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	s := &S3Server{
		Region: "us-east-1", Bucket: "varve",
		AccessKey: "varve-access", Secret: "varve-secret",
		Root: filepath.Join(dir, "objects"), AccessLog: filepath.Join(dir, "access.log"),
	}
	versions := filepath.Join(dir, "versions")
	for _, d := range []string{filepath.Join(s.Root, s.Bucket), versions} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.Setenv(t)
	var failed error
	for range 5 { // another process may take the port between the look and the start
		addr := freeAddr(t)
		s.Endpoint = "http://" + addr
		cmd := exec.Command(program, "--port", addr, "--access", s.AccessKey, "--secret", s.Secret, "--region", s.Region,
			"--health", "/health", "--access-log", s.AccessLog, "--quiet", "--keep-alive",
			"posix", "--versioning-dir", versions, s.Root)
		if failed = startServer(t, cmd, s.Endpoint+"/health"); failed == nil {
			return s
		}
	}
	t.Fatalf("start %s: %v", program, failed)
	return nil
}

// Setenv gives the process the server's credentials, for the test, and hides
// all else that the AWS libraries look for.
func (s *S3Server) Setenv(t *testing.T) {
	t.Helper()
	NoAWS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", s.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s.Secret)
}

// NoAWS hides from the AWS libraries, for the test, the credentials and the settings
// of whoever runs it, and the metadata service of the machine.
func NoAWS(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE",
		"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
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
	return "", fmt.Errorf("no S3 server to test with: versitygw is neither installed nor named by VARVE_VERSITYGW; .ci/tools installs it: %w", err)
}

// startServer starts cmd and waits until it answers at health. It ends with the test.
func startServer(t *testing.T, cmd *exec.Cmd, health string) error {
	t.Helper()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	client := &http.Client{Timeout: time.Second}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		select {
		case err := <-ended:
			return fmt.Errorf("it ended at once: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		res, err := client.Get(health)
		if err != nil {
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			t.Cleanup(func() {
				cmd.Process.Kill()
				<-ended
			})
			return nil
		}
	}
	cmd.Process.Kill()
	<-ended
	return fmt.Errorf("it did not answer at %s for 30 s", health)
}

// freeAddr returns an address of this machine at which nothing listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
