package integrity

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/varve-db/varve/integrity/internal/injured"
	"github.com/varve-db/varve/internal/vfs"
)

// sealing is a folder in which the newest log gets its sealed name after it was
// listed, or after its header was read.
type sealing struct {
	vfs.FS
	p    *injured.Store
	left int // opens of the log until then
}

func (s *sealing) Open(name string) (vfs.File, error) {
	if name == injured.LogName(4) {
		if s.left == 0 {
			if err := s.FS.Rename(name, injured.SegName(4)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				s.p.T.Fatal(err)
			}
		}
		s.left--
	}
	return s.FS.Open(name)
}

// TestALogThatIsSealedMeanwhileIsFound seals a log between the listing and each
// open of it: it is found under its new name, and once.
func TestALogThatIsSealedMeanwhileIsFound(t *testing.T) {
	for left := range 2 {
		p := injured.New(t, false)
		p.Rename(injured.SegName(4), injured.LogName(4)) // a crash had cut off the seal, say
		fsys := &sealing{p.FS, p, left}
		s, err := Survey(fsys)
		if err != nil {
			t.Fatal(err)
		}
		st, err := s.Resolve(ResolveOptions{Live: true})
		if err != nil {
			t.Fatalf("sealed before open %d: %v", left+1, err)
		}
		names := func(e *Entry) bool { return e.Name == injured.SegName(4) && e.Sealed }
		if len(s.Files) != 5 || !slices.ContainsFunc(s.Files, names) || len(st.Parts) != 4 {
			t.Errorf("sealed before open %d: %d files, %d parts", left+1, len(s.Files), len(st.Parts))
		}
		st.Close()
	}
}
