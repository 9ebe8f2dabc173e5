package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/targettest"
)

// A server that takes no notice of If-None-Match is refused before anything is made of it.
func TestInitRefusesAServerThatOverwrites(t *testing.T) {
	var mu sync.Mutex
	objects := map[string]bool{}
	var put []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		mu.Lock()
		defer mu.Unlock()
		switch r.Method {
		case http.MethodPut:
			objects[r.URL.Path] = true
			put = append(put, r.URL.Path)
		case http.MethodDelete:
			delete(objects, r.URL.Path)
			w.WriteHeader(http.StatusNoContent)
		case http.MethodGet:
			if r.URL.Query().Has("list-type") {
				io.WriteString(w, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
				return
			}
			fallthrough
		default:
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
		}
	}))
	defer srv.Close()
	targettest.NoAWS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	_, err := (&app{}).openTargets(t.Context(), []string{"s3://bucket/arc?endpoint=" + srv.URL}, true, false)
	if !errors.Is(err, target.ErrUnconditional) {
		t.Errorf("%v, want ErrUnconditional", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if slices.ContainsFunc(put, func(name string) bool { return strings.HasSuffix(name, "varve-archive.json") }) {
		t.Errorf("an identity was put: %v", put)
	}
}
