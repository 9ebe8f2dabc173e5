package store

import (
	"github.com/varve-db/varve/segment"
)

// Stats says what a store holds, and how it is.
type Stats struct {
	Path     string           `json:"path"`
	UUID     segment.UUID     `json:"uuid"`
	Timeline segment.Timeline `json:"timeline"`

	Metrics
	BytesPerKey float64        `json:"bytes_per_key"` // of IndexBytes, beyond the key's own bytes
	Segments    []SegmentStats `json:"segments"`

	// Of a DB only, as the second half of Metrics is.
	Durability  string `json:"durability,omitempty"`
	SegmentSize int64  `json:"segment_size,omitempty"`
	Reserve     int64  `json:"reserve_bytes"`        // set aside on the disk for the next log; zero: none
	Syncs       int64  `json:"syncs"`                // of logs, since the open
	SealError   string `json:"seal_error,omitempty"` // of the last seal, if it failed
}

// SegmentStats is one segment of a store.
type SegmentStats struct {
	Segment   segment.Ref `json:"segment"`
	File      string      `json:"file"`
	Bytes     int64       `json:"bytes"`        // of the file, footers of sealed segments apart
	Live      int64       `json:"live_objects"` // objects whose value is here
	LiveBytes int64       `json:"live_bytes"`   // of their records
}

// stats returns the figures and a row for each segment. The caller holds v.rw.
func (v *view) stats(m Metrics) Stats {
	s := Stats{Metrics: m}
	if s.Objects > 0 {
		s.BytesPerKey = float64(s.IndexBytes-s.KeyBytes) / float64(s.Objects)
	}
	for _, f := range v.segs {
		l := v.idx.Live(f.slot)
		s.Segments = append(s.Segments, SegmentStats{f.ref, f.path, f.size.Load(), l.Records, l.Bytes})
		s.LastSeq = max(s.LastSeq, f.last.Load()) // without the newest log it may stand in an earlier one
	}
	return s
}

// Stats returns the store's figures, in the time of a look at each segment, not at each
// object; after Close they are zero.
func (db *DB) Stats() Stats {
	v := &db.view
	v.rw.RLock()
	if v.closed {
		v.rw.RUnlock()
		return Stats{}
	}
	s := v.stats(db.metrics())
	v.rw.RUnlock()
	s.Path, s.UUID = db.report.Path, db.report.UUID
	s.Durability, s.SegmentSize = db.opt.Durability.String(), db.opt.SegmentSize
	s.Syncs = int64(s.SyncTimes.Count)
	if err := db.sealer.lastError(); err != nil {
		s.SealError = err.Error()
	}
	s.Reserve = db.spare.room()
	db.mu.Lock()
	defer db.mu.Unlock()
	s.Timeline = db.log.hdr.Ref.Timeline
	return s
}

// Stats returns the store's figures as of the open or the last Refresh; after Close they
// are zero.
func (r *Reader) Stats() Stats {
	v := &r.view
	v.rw.RLock()
	if v.closed {
		v.rw.RUnlock()
		return Stats{}
	}
	m := v.metrics()
	m.FileBytes = sizeOfAll(v.segs)
	s := v.stats(m)
	v.rw.RUnlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Path, s.UUID, s.Timeline = r.report.Path, r.report.UUID, r.report.Timeline
	return s
}

// room returns how much is reserved.
func (s *spare) room() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reserved
}

// lastError returns why the last seal failed, or nil.
func (s *sealer) lastError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
