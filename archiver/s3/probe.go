package s3

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/varve-db/varve/archiver"
)

// ErrUnchecked is wrapped by the error of Probe for a server that stores content
// with another SHA-256 than it was told.
var ErrUnchecked = errors.New("the server does not check the SHA-256 of what it stores")

// probePrefix begins the names of Probe's objects, which List does not show.
const probePrefix = "varve-probe-"

// probeAge is how old an object of a Probe is that was killed.
const probeAge = 24 * time.Hour

// URL names the target as OpenURL takes it. It holds no secrets.
func (t *Target) URL() string { return t.url }

// Probe puts an object twice, of which the second must be refused, and once more with a wrong
// SHA-256, and deletes what it made. Credentials that may delete varve-probe-* and nothing
// else are enough. It also removes what killed probes left a day ago.
// See [archiver.Target].
func (t *Target) Probe(ctx context.Context) error {
	name := probePrefix + strings.ToLower(rand.Text())
	if err := t.probePut(ctx, name); err != nil {
		return err
	}
	for info, err := range t.list(ctx, probePrefix, "") {
		if err != nil {
			return fmt.Errorf("probe %s: %w", t.url, err)
		}
		if time.Since(info.Modified) < probeAge {
			continue
		}
		if err := t.Delete(ctx, info.Name); err != nil {
			return fmt.Errorf("probe %s: %w", t.url, err)
		}
	}
	return nil
}

// probePut is Probe's part about Put, with an object of that name.
func (t *Target) probePut(ctx context.Context, name string) (err error) {
	content := "Made to find out whether this server can be archived to. It may be deleted."
	sum := sha256.Sum256([]byte(content))
	put := func(name string, sum [32]byte) error {
		return t.Put(ctx, name, strings.NewReader(content), int64(len(content)), sum)
	}
	if err := put(name, sum); err != nil {
		return fmt.Errorf("probe %s: %w", t.url, err)
	}
	defer func() {
		if gone := t.Delete(context.WithoutCancel(ctx), name); gone != nil && err == nil {
			err = fmt.Errorf("probe %s: it left %s: %w", t.url, name, gone)
		}
	}()
	switch err := put(name, sum); {
	case err == nil:
		return fmt.Errorf("probe %s: %w: use another server, or a newer version of it", t.url, archiver.ErrUnconditional)
	case !errors.Is(err, archiver.ErrExists):
		return fmt.Errorf("probe %s: %w", t.url, err)
	}
	sum[0] ^= 0xff
	wrong := name + "-wrong"
	refused := put(wrong, sum)
	var e *requestError
	switch {
	case refused == nil:
		return errors.Join(fmt.Errorf("probe %s: %w: use another server, or a newer version of it", t.url, ErrUnchecked), t.Delete(ctx, wrong))
	case !errors.As(refused, &e) || e.status != http.StatusBadRequest && !errors.Is(refused, archiver.ErrDenied):
		return fmt.Errorf("probe %s: %w", t.url, refused)
	}
	return nil
}
