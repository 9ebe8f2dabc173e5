package integrity

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/varve-db/varve/segment"
)

// Memory is what is remembered of which segment was verified when: the file
// MemoryName. It is no truth. What it lacks counts as not verified, and a damaged
// one as empty.
type Memory map[segment.Ref]Remembered

// Remembered is of one segment: when it was last verified whole, and the SHA-256
// in its footer. It says nothing of a file with another.
type Remembered struct {
	Verified time.Time
	SHA256   [32]byte
}

// maxMemory bounds the file: room for 200,000 segments.
const maxMemory = 32 << 20

// memoryFile is the JSON of a Memory.
type memoryFile struct {
	Version  int                        `json:"version"`
	Segments map[string]memoryOfSegment `json:"segments"` // by timeline/id
}

type memoryOfSegment struct {
	Verified time.Time `json:"verified"`
	SHA256   string    `json:"sha256"`
}

// LoadMemory reads the memory of the store in the root of fsys. It is never nil. If
// there is no such file it is empty. So it is with an error, which says that
// the file cannot be read or is not one of ours; it may be written anew.
func LoadMemory(fsys fs.FS) (Memory, error) {
	f, err := fsys.Open(MemoryName)
	if errors.Is(err, fs.ErrNotExist) {
		return Memory{}, nil
	} else if err != nil {
		return Memory{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxMemory+1))
	if err != nil {
		return Memory{}, err
	}
	m, err := parseMemory(b)
	if err != nil {
		return Memory{}, fmt.Errorf("%s: %w; nothing counts as verified", MemoryName, err)
	}
	return m, nil
}

func parseMemory(b []byte) (Memory, error) {
	if len(b) > maxMemory {
		return nil, fmt.Errorf("more than %d bytes", maxMemory)
	}
	var file memoryFile
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, err
	}
	if file.Version != 1 {
		return nil, fmt.Errorf("version %d where 1 is known", file.Version)
	}
	m := make(Memory, len(file.Segments))
	for name, s := range file.Segments {
		ref, ok := parseRef(name)
		sum, err := hex.DecodeString(s.SHA256)
		if !ok || err != nil || len(sum) != 32 {
			return nil, fmt.Errorf("segment %q cannot be", name)
		}
		m[ref] = Remembered{s.Verified, [32]byte(sum)}
	}
	return m, nil
}

// parseRef reads what segment.Ref.String writes.
func parseRef(s string) (ref segment.Ref, ok bool) {
	timeline, id, _ := strings.Cut(s, "/")
	t, err := strconv.ParseUint(timeline, 16, 64)
	if err != nil {
		return ref, false
	}
	n, err := strconv.ParseUint(id, 10, 64)
	ref = segment.Ref{Timeline: segment.Timeline(t), ID: segment.ID(n)}
	return ref, err == nil && ref.String() == s
}

// Marshal returns the bytes of the file.
func (m Memory) Marshal() ([]byte, error) {
	file := memoryFile{Version: 1, Segments: make(map[string]memoryOfSegment, len(m))}
	for ref, x := range m {
		file.Segments[ref.String()] = memoryOfSegment{x.Verified.UTC(), hex.EncodeToString(x.SHA256[:])}
	}
	b, err := json.MarshalIndent(file, "", " ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}
