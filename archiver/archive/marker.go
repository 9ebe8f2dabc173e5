package archive

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// Marker is the content of an object that stands for one that is gone. It tells people why.
// Programs need only its name.
type Marker struct {
	Format int       `json:"format"`
	Time   time.Time `json:"time"` // UTC
	Why    string    `json:"why"`
	Plan   uint64    `json:"plan,omitempty"` // of the prune that deleted a segment
	Size   int64     `json:"size,omitempty"` // that it had
}

// PutMarker writes a marker. One that is there already stays.
func (a *Archive) PutMarker(ctx context.Context, name string, m *Marker) error {
	m.Format = manifestFormat
	if m.Time.IsZero() {
		m.Time = time.Now().UTC().Truncate(time.Second)
	}
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	err = a.putSmall(ctx, name, append(b, '\n'))
	if errors.Is(err, target.ErrExists) {
		return nil
	}
	return err
}

// Drop is a tip that is given up: the timeline, as far as it went then.
type Drop struct {
	Timeline segment.Timeline `json:"timeline"`
	Newest   segment.ID       `json:"newest"` // its newest log; with a newer one the timeline lives, and is not given up
}
