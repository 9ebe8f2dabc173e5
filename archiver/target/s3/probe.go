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

	"github.com/varve-db/varve/archiver/target"
)

// ErrUnchecked is wrapped by the error of Probe for a server that stores content
// with another SHA-256 than it was told.
var ErrUnchecked = errors.New("the server does not check the SHA-256 of what it stores")

// probePrefix begins the names of Probe's objects, which List does not show.
const probePrefix = "varve-probe-"

// A Probe ends by itself after probeTime. If an object of another Probe is older than its own
// by probeAge, the other one was killed, and its object can be removed. Both times are the
// server's, so no other clock has to be right, and the clocks of a server of several machines
// may differ by three quarters of an hour. Probe must be sure of this: if it removed an object
// of a Probe that still runs, that one would find that the server overwrites.
const (
	probeTime = 15 * time.Minute
	probeAge  = time.Hour
)

// URL names the target as OpenURL takes it. It holds no secrets.
func (t *Target) URL() string { return t.url }

// Probe puts an object twice, of which the second must be refused, and once more with a wrong
// SHA-256, and deletes what it made. Credentials that may delete varve-probe-* and nothing else
// are enough. It also removes objects of probes that were killed an hour ago or earlier. It
// takes a quarter of an hour at most. See [target.Target].
func (t *Target) Probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, probeTime, fmt.Errorf("the server did not answer within %v", probeTime))
	defer cancel()
	name := probePrefix + strings.ToLower(rand.Text())
	stored, err := t.probePut(ctx, name)
	if err == nil {
		err = t.probeTidy(ctx, name)
	}
	if stored {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if gone := t.Delete(ctx, name); gone != nil && err == nil {
			err = fmt.Errorf("it left %s: %w", name, gone)
		}
	}
	if err != nil {
		return fmt.Errorf("probe %s: %w", t.url, err)
	}
	return nil
}

// probeTidy removes what killed probes left. It tells their age from the object name, which
// has just been put. The server may not list that object yet: then the next probe removes
// them.
func (t *Target) probeTidy(ctx context.Context, name string) error {
	var others []target.Info
	var now time.Time
	for info, err := range t.list(ctx, probePrefix, "") {
		if err != nil {
			return err
		}
		if info.Name == name {
			now = info.Modified
		} else {
			others = append(others, info)
		}
	}
	for _, o := range others {
		if now.Sub(o.Modified) < probeAge {
			continue
		}
		if err := t.Delete(ctx, o.Name); err != nil {
			return err
		}
	}
	return nil
}

// probePut tests Put, with an object of that name. stored reports that it left the object there.
func (t *Target) probePut(ctx context.Context, name string) (stored bool, err error) {
	content := "Made to find out whether this server can be archived to. It may be deleted."
	sum := sha256.Sum256([]byte(content))
	put := func(name string, sum [32]byte) error {
		return t.Put(ctx, name, strings.NewReader(content), int64(len(content)), sum)
	}
	if err := put(name, sum); err != nil {
		return false, err
	}
	switch err := put(name, sum); {
	case err == nil:
		return true, fmt.Errorf("%w: use another server, or a newer version of it", target.ErrUnconditional)
	case !errors.Is(err, target.ErrExists):
		return true, err
	}
	sum[0] ^= 0xff
	wrong := name + "-wrong"
	refused := put(wrong, sum)
	var e *requestError
	switch {
	case refused == nil:
		return true, errors.Join(fmt.Errorf("%w: use another server, or a newer version of it", ErrUnchecked), t.Delete(ctx, wrong))
	case !errors.As(refused, &e) || e.status != http.StatusBadRequest && !errors.Is(refused, target.ErrDenied):
		return true, refused
	}
	return true, nil
}
