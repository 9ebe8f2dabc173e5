package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/targettest"
)

func TestURLsThatNameNoTargetAreRefused(t *testing.T) {
	targettest.NoAWS(t)
	const secret = "hunter2"
	for target, text := range map[string]string{
		"https://bucket/p":                           "s3://bucket/prefix",
		"s3:///p":                                    "needs a bucket",
		"s3://bucket/../p?region=r":                  "clean path",
		"s3://bucket/.?region=r":                     "clean path",
		"s3://bucket/./?region=r":                    "clean path",
		"s3://bucket/%2E?region=r":                   "clean path",
		"s3://bucket/a/./b?region=r":                 "clean path",
		"s3://bucket/a//b?region=r":                  "clean path",
		"s3://bucket/a%2F..%2Fb?region=r":            "clean path",
		"s3://bucket/a%0Ab?region=r":                 "clean path",
		"s3://user:hunter2@bucket/p":                 "AWS_ACCESS_KEY_ID",
		"s3://b/p?endpoint=minio:9000":               `"minio:9000" of the S3 target has no scheme: write it as in https://`,
		"s3://b/p?endpoint=127.0.0.1:9000":           "has no scheme",
		"s3://b/p?endpoint=u:hunter2@h:1":            "has no scheme",
		"s3://b/p?endpoint=ftp://host":               "has no scheme",
		"s3://b/p?endpoint=http://u:hunter2@host":    "holds credentials",
		"s3://b/p?endpoint=http://":                  "is not a server's",
		"s3://b/p?endpoint=http://h?x":               "is not a server's",
		"s3://b/p?endpoint=http://u:hunter2@[":       "is no URL",
		"s3://b/p":                                   "AWS_REGION",
		"s3://b/p?regoin=x":                          "regoin",
		"s3://b/p?region=x&region=y":                 "2 times",
		"s3://b/p?region=x&virtual-host=yes":         "virtual-host",
		"s3://b/p?region=x&profile=not-there":        "not-there",
		"s3://b/p?region=x&secret=%zz":               "parameters",
		"s3://b/p?endpoint=http://h&region=x#hunter": "s3://bucket/prefix",
	} {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		_, err = OpenURL(t.Context(), u)
		if err == nil {
			t.Errorf("%s: no error", target)
			continue
		}
		if !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestATargetIsNamedAsItsURLNamesIt(t *testing.T) {
	targettest.NoAWS(t)
	for _, target := range []string{
		"s3://bucket?region=eu-west-1",
		"s3://bucket/a/b?region=eu-west-1",
		"s3://bucket/a?endpoint=http://127.0.0.1:9000",
		"s3://bucket/a?endpoint=https://h/path&region=r1&virtual-host=true",
	} {
		opened := openAt(t, target)
		if opened.URL() != target {
			t.Errorf("%s is named %s", target, opened.URL())
		}
		if again := openAt(t, opened.URL()); again.prefix != opened.prefix || again.bucket != opened.bucket {
			t.Errorf("%s: %+v, and again %+v", target, opened, again)
		}
	}
	if got := openAt(t, "s3://bucket//a/b/?region=r").URL(); got != "s3://bucket/a/b?region=r" {
		t.Error(got)
	}
}

func TestDefaultsOfAnEndpoint(t *testing.T) {
	targettest.NoAWS(t)
	for _, c := range []struct {
		env, target, region string
		byPath              bool
	}{
		{"", "s3://b?endpoint=http://h", "us-east-1", true},
		{"", "s3://b?endpoint=http://h&region=r1&virtual-host=true", "r1", false},
		{"eu-west-1", "s3://b?endpoint=http://h", "eu-west-1", true},
		{"eu-west-1", "s3://b?region=r2", "r2", false},
		{"eu-west-1", "s3://b", "eu-west-1", false},
	} {
		t.Setenv("AWS_REGION", c.env)
		o := openAt(t, c.target).client.Options()
		if o.Region != c.region || o.UsePathStyle != c.byPath {
			t.Errorf("%+v: region %s, by path %t", c, o.Region, o.UsePathStyle)
		}
	}
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://h")
	if o := openAt(t, "s3://b").client.Options(); o.Region != "us-east-1" || !o.UsePathStyle {
		t.Errorf("endpoint in the environment: %+v", o)
	}
}

func TestEachTargetMayHaveAProfileOfItsOwn(t *testing.T) {
	s := targettest.StartS3(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "another")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "server's")
	file := filepath.Join(t.TempDir(), "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	section := "[varve]\naws_access_key_id = " + s.AccessKey + "\naws_secret_access_key = " + s.Secret + "\n"
	if err := os.WriteFile(file, []byte(section), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := openAt(t, s.URL("p")+"&profile=varve").Probe(t.Context()); err != nil {
		t.Error(err)
	}
	want(t, open(t, s, "p").Probe(t.Context()), target.ErrDenied)
}

func TestWhoeverIsNotLetInIsToldWhatToDo(t *testing.T) {
	s := targettest.StartS3(t)
	to := open(t, s, "p")
	try := func(what string) {
		t.Helper()
		to = open(t, s, "p")
		_, stat := to.Stat(t.Context(), "x")
		for _, err := range []error{put(to, t.Context(), "x", []byte("x")), to.Probe(t.Context()), stat} {
			want(t, err, target.ErrDenied, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE")
			if err != nil && (strings.Contains(err.Error(), s.Secret) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("%s: the secret is told: %v", what, err)
			}
		}
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	try("a wrong secret")
	t.Setenv("AWS_ACCESS_KEY_ID", "nobody")
	try("an unknown user")
	targettest.NoAWS(t)
	try("no credentials")
}

func TestWhatIsWrongWithTheURLIsSaid(t *testing.T) {
	s := targettest.StartS3(t)
	for what, c := range map[string]struct {
		url  string
		kind error
		text string
	}{
		"no such bucket":        {strings.Replace(s.URL("p"), s.Bucket, "absent", 1), target.ErrNotExist, "bring back the bucket absent"},
		"another region":        {s.URL("p") + "&region=eu-west-1", nil, "?region="},
		"https to an http port": {s.URLAt(strings.Replace(s.Endpoint, "http:", "https:", 1), "p"), nil, "http://"},
		"nobody listens":        {s.URLAt("http://127.0.0.1:1", "p"), nil, "127.0.0.1:1"},
	} {
		t.Run(what, func(t *testing.T) {
			target := openAt(t, c.url)
			want(t, target.Probe(t.Context()), c.kind, c.text, "s3://")
			want(t, put(target, t.Context(), "x", random(1, 100)), c.kind, c.text, "s3://")
		})
	}
}

func TestHTTPToAnHTTPSPortIsSaid(t *testing.T) {
	target, p := faulty(t)
	p.Inject(1, nil, func(p *targettest.Proxy, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		http.Error(w, "Client sent an HTTP request to an HTTPS server.", http.StatusBadRequest)
	})
	want(t, target.Probe(t.Context()), nil, "with https://")
}

func TestACertificateThatIsNotTrustedIsSaid(t *testing.T) {
	targettest.NoAWS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	target := openAt(t, "s3://b/p?endpoint="+server.URL)
	want(t, target.Probe(t.Context()), nil, "AWS_CA_BUNDLE")
}

func TestTheRegionThatTheServerNamesIsSaid(t *testing.T) {
	target, p := faulty(t)
	p.Inject(-1, nil, func(p *targettest.Proxy, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
		w.WriteHeader(http.StatusMovedPermanently)
	})
	_, err := target.Stat(t.Context(), "x")
	want(t, err, nil, "region=eu-central-1")
	want(t, put(target, t.Context(), "x", nil), nil, "region=eu-central-1")
}

// laxServer is a server that takes what it should not.
type laxServer struct {
	overwrites, unchecked bool

	mu      sync.Mutex // guards objects
	objects map[string][]byte
}

func (s *laxServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, _ := io.ReadAll(r.Body)
	sum := sha256.Sum256(b)
	switch _, there := s.objects[r.URL.Path]; {
	case r.Method == http.MethodGet:
		io.WriteString(w, `<ListBucketResult></ListBucketResult>`)
	case r.Method == http.MethodDelete:
		delete(s.objects, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	case there && !s.overwrites:
		w.WriteHeader(http.StatusPreconditionFailed)
	case !s.unchecked && r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]):
		w.WriteHeader(http.StatusBadRequest)
	default:
		s.objects[r.URL.Path] = b
	}
}

func TestServersThatOverwriteOrDoNotCheckAreFoundByProbe(t *testing.T) {
	targettest.NoAWS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	for _, c := range []struct {
		overwrites, unchecked bool
		kind                  error
	}{
		{false, false, nil},
		{true, false, target.ErrUnconditional},
		{false, true, ErrUnchecked},
		{true, true, target.ErrUnconditional},
	} {
		lax := &laxServer{overwrites: c.overwrites, unchecked: c.unchecked, objects: map[string][]byte{}}
		server := httptest.NewTLSServer(lax) // over TLS too, the hash is signed
		target, err := Open(t.Context(), Options{Bucket: "b", Prefix: "p", Endpoint: server.URL, HTTPClient: server.Client()})
		if err != nil {
			t.Fatal(err)
		}
		err = target.Probe(t.Context())
		if !errors.Is(err, c.kind) || c.kind == nil && err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		server.Close()
		if len(lax.objects) != 0 {
			t.Errorf("%+v: the probe left %d objects", c, len(lax.objects))
		}
	}
}
