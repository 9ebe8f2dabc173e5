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

// ScrubLog remembers when each segment was last verified whole. It is the file ScrubLogName.
// Nothing depends on it: a segment that it lacks counts as not verified, and a damaged file as
// an empty one.
type ScrubLog map[segment.Ref]Scrubbed

// Scrubbed says when a segment was last verified whole, and the SHA-256 in its footer. It does not
// count for a file with another SHA-256.
type Scrubbed struct {
	Verified time.Time
	SHA256   [32]byte
}

// maxScrubLog bounds the file: room for 200,000 segments.
const maxScrubLog = 32 << 20

// scrubLogFile is the JSON of a ScrubLog.
type scrubLogFile struct {
	Version  int                     `json:"version"`
	Segments map[string]scrubLogLine `json:"segments"` // by timeline/id
}

type scrubLogLine struct {
	Verified time.Time `json:"verified"`
	SHA256   string    `json:"sha256"`
}

// LoadScrubLog reads the memory of the store in the root of fsys. It is never nil. If
// there is no such file it is empty. So it is with an error, which says that
// the file cannot be read or is not one of ours; it may be written anew.
func LoadScrubLog(fsys fs.FS) (ScrubLog, error) {
	f, err := fsys.Open(ScrubLogName)
	if errors.Is(err, fs.ErrNotExist) {
		return ScrubLog{}, nil
	} else if err != nil {
		return ScrubLog{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxScrubLog+1))
	if err != nil {
		return ScrubLog{}, err
	}
	m, err := parseScrubLog(b)
	if err != nil {
		return ScrubLog{}, fmt.Errorf("%s: %w; nothing counts as verified", ScrubLogName, err)
	}
	return m, nil
}

func parseScrubLog(b []byte) (ScrubLog, error) {
	if len(b) > maxScrubLog {
		return nil, fmt.Errorf("more than %d bytes", maxScrubLog)
	}
	var file scrubLogFile
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, err
	}
	if file.Version != 1 {
		return nil, fmt.Errorf("version %d where 1 is known", file.Version)
	}
	m := make(ScrubLog, len(file.Segments))
	for name, s := range file.Segments {
		ref, ok := parseRef(name)
		sum, err := hex.DecodeString(s.SHA256)
		if !ok || err != nil || len(sum) != 32 {
			return nil, fmt.Errorf("segment %q cannot be", name)
		}
		m[ref] = Scrubbed{s.Verified, [32]byte(sum)}
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
func (m ScrubLog) Marshal() ([]byte, error) {
	file := scrubLogFile{Version: 1, Segments: make(map[string]scrubLogLine, len(m))}
	for ref, x := range m {
		file.Segments[ref.String()] = scrubLogLine{x.Verified.UTC(), hex.EncodeToString(x.SHA256[:])}
	}
	b, err := json.MarshalIndent(file, "", " ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}
