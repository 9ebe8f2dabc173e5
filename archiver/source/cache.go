package source

import (
	"encoding/json"
	"io/fs"
	"slices"
	"time"

	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// A listing opens each sealed file once, to read its header. What was read is kept beside the
// receipts, so that a new process need not open the 100,000 files of a large store. It is used
// for a file whose name, size, time of last change and inode are as they were.
//
// That is enough. A sealed file is not written to. A file that is put in its place, from a copy
// or by a repair, has another inode, and a time of its own. If all four were forged, the only
// harm would be that this file is not shipped: the newest log, which is read, names the segments
// of a backup, and each of them must have a receipt. An audit does not use the cache.
const (
	cacheName   = "segments.json"
	cacheFormat = 1
	maxCache    = 256 << 20 // bytes of the file, above what millions of segments take

	// cacheStep is how many headers are read before the file is written again, so
	// that what one more segment costs does not grow with the store.
	cacheStep = 256

	// cacheAge is how old a file's last change must be for the file to be kept: above the
	// resolution of any file system's times, so that no later change has the same time.
	cacheAge = 5 * time.Second
)

// cacheFile is the content of the file.
type cacheFile struct {
	Format int          `json:"format"` // 1
	Groups []cacheGroup `json:"groups"`
}

// cacheGroup are segments of one store, timeline and kind.
type cacheGroup struct {
	Store    segment.UUID     `json:"store"`
	Timeline segment.Timeline `json:"timeline"`
	Kind     segment.Kind     `json:"kind"`

	// Files are, of each: the number in its name, the segment's id, size, time of last
	// change in nanoseconds, inode, first sequence number.
	Files [][6]uint64 `json:"files"`
}

// Recall takes over what was noted of the files in the folder of receipts. Notes that cannot be
// read are ignored.
func (s *Source) Recall(state fs.FS) {
	var f cacheFile
	if err := statefile.ReadUpTo(vfs.FromFS(state), cacheName, maxCache, &f); err != nil || f.Format != cacheFormat {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range f.Groups {
		for _, v := range g.Files {
			name := segment.FileName(segment.ID(v[0]), segment.SealedExt)
			s.known[name] = Sealed{Name: name, Size: int64(v[2]), Modified: time.Unix(0, int64(v[3])), inode: v[4],
				Store: g.Store, Ref: segment.Ref{Timeline: g.Timeline, ID: segment.ID(v[1])}, Kind: g.Kind, FirstSeq: v[5]}
		}
	}
}

// Note has write replace the file of what is known of the store's files, if enough of it is new.
func (s *Source) Note(write func(name string, b []byte) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peeks < cacheStep {
		return nil
	}
	b, err := json.Marshal(s.cache(time.Now()))
	if err != nil {
		return err
	}
	if err := write(cacheName, statefile.WithCheck(b)); err != nil {
		return err
	}
	s.peeks = 0
	return nil
}

// cache returns what is to be believed later. The caller holds s.mu.
func (s *Source) cache(now time.Time) *cacheFile {
	groups := map[cacheKey]*cacheGroup{}
	f := &cacheFile{Format: cacheFormat, Groups: []cacheGroup{}}
	for _, g := range s.known {
		id, _, ok := segment.ParseFileName(g.Name)
		if !ok || g.Err != nil || now.Sub(g.Modified) < cacheAge {
			continue
		}
		k := cacheKey{g.Store, g.Ref.Timeline, g.Kind}
		if groups[k] == nil {
			groups[k] = &cacheGroup{Store: k.store, Timeline: k.timeline, Kind: k.kind}
		}
		groups[k].Files = append(groups[k].Files, [6]uint64{uint64(id), uint64(g.Ref.ID), uint64(g.Size),
			uint64(g.Modified.UnixNano()), g.inode, g.FirstSeq})
	}
	for _, g := range groups {
		slices.SortFunc(g.Files, func(a, b [6]uint64) int { return slices.Compare(a[:], b[:]) })
		f.Groups = append(f.Groups, *g)
	}
	return f
}

type cacheKey struct {
	store    segment.UUID
	timeline segment.Timeline
	kind     segment.Kind
}

// isSame reports whether a file is still the one that was opened.
func (s *Sealed) isSame(info fs.FileInfo) bool {
	return s.Same(info.Size(), info.ModTime()) && s.inode == inode(info)
}
