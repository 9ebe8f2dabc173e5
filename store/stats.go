package store

import (
	"github.com/varve-db/varve/segment"
)

// Stats says what a store holds, and how it is.
type Stats struct {
	Path     string           `json:"path"`
	UUID     segment.UUID     `json:"uuid"`
	Timeline segment.Timeline `json:"timeline"`

	Objects     int64   `json:"objects"`       // keys that have a value
	LastSeq     uint64  `json:"last_seq"`      // sequence number of the newest visible change
	KeyBytes    int64   `json:"key_bytes"`     // of all keys
	IndexBytes  int64   `json:"index_bytes"`   // heap that the index holds, the keys included
	BytesPerKey float64 `json:"bytes_per_key"` // of that, beyond the key's own bytes

	LiveBytes int64          `json:"live_bytes"` // of the records of the objects
	FileBytes int64          `json:"file_bytes"` // of all segments
	Segments  []SegmentStats `json:"segments"`

	// Of a DB only.
	Durability  string `json:"durability,omitempty"`
	SegmentSize int64  `json:"segment_size,omitempty"`
	Reserve     int64  `json:"reserve_bytes"`        // set aside on the disk for the next log; zero: none
	DiskFull    bool   `json:"disk_full"`            // puts are refused
	Unsealed    int    `json:"unsealed"`             // logs that wait for their seal
	Unwritten   int64  `json:"unwritten_bytes"`      // committed and still in memory
	Written     int64  `json:"written_bytes"`        // to logs, since the open
	Syncs       int64  `json:"syncs"`                // of logs, since the open
	Failed      string `json:"failed,omitempty"`     // why the log takes no commits any more
	SealError   string `json:"seal_error,omitempty"` // of the last seal, if it failed

	Scrub *ScrubStats `json:"scrub,omitempty"` // nil: nothing is scrubbed
}

// SegmentStats is one segment of a store.
type SegmentStats struct {
	Segment   segment.Ref `json:"segment"`
	File      string      `json:"file"`
	Bytes     int64       `json:"bytes"`        // of the file, footers of sealed segments apart
	Live      int64       `json:"live_objects"` // objects whose value is here
	LiveBytes int64       `json:"live_bytes"`   // of their records
}

// stats returns what readers see of the store, in the time of a look at each segment, not
// at each object. It reports false after the close.
func (v *view) stats() (s Stats, ok bool) {
	v.rw.RLock()
	defer v.rw.RUnlock()
	if v.closed {
		return s, false
	}
	m := v.idx.Memory()
	s.Objects, s.KeyBytes, s.IndexBytes = int64(v.idx.Len()), m.Keys, m.Heap
	if s.Objects > 0 {
		s.BytesPerKey = float64(m.Heap-m.Keys) / float64(s.Objects)
	}
	for _, f := range v.segs {
		l := v.idx.Live(f.slot)
		s.Segments = append(s.Segments, SegmentStats{f.ref, f.path, f.size.Load(), l.Records, l.Bytes})
		s.FileBytes += f.size.Load()
		s.LiveBytes += l.Bytes
		s.LastSeq = max(s.LastSeq, f.last.Load())
	}
	return s, true
}

// Stats returns the store's figures; after Close they are zero.
func (db *DB) Stats() Stats {
	s, ok := db.view.stats()
	if !ok {
		return Stats{}
	}
	s.Path, s.UUID = db.report.Path, db.report.UUID
	s.Durability, s.SegmentSize = db.opt.Durability.String(), db.opt.SegmentSize
	s.Written, s.Syncs = db.written.Load(), int64(db.gauges.syncs.read().Count)
	s.Unsealed = db.sealer.backlog()
	if err := db.sealer.lastError(); err != nil {
		s.SealError = err.Error()
	}
	s.Reserve = db.spare.room()
	if db.scrubber != nil {
		s.Scrub = db.scrubber.report()
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	s.Timeline = db.log.hdr.Ref.Timeline
	s.DiskFull, s.Unwritten = db.full || db.stuck != nil, db.queued.Load()
	if db.err != nil {
		s.Failed = db.err.Error()
	}
	return s
}

// Stats returns the store's figures as of the open or the last Refresh; after Close they
// are zero.
func (r *Reader) Stats() Stats {
	s, ok := r.view.stats()
	if !ok {
		return Stats{}
	}
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
