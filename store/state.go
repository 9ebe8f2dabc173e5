package store

import (
	"fmt"
	"strings"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
)

// storeState is how the files of a store stand, each open as a segFile.
type storeState struct {
	*integrity.State

	// tables are those of the parts, where each was read as soon as it could be: of the small
	// ones, what the index needs is all that is kept. Nil: they are still to be read.
	tables *tables
}

// resolveState finds out how the store stands.
func resolveState(s *integrity.Inventory, o *Options, live bool) (storeState, error) {
	few := newHandles(s.FS)
	so := integrity.ResolveOptions{
		Level: o.Integrity, Live: live, Tolerate: o.AllowDamaged, AcceptLost: o.AcceptLostLog,
		Open: func(e *integrity.Entry) (integrity.Source, error) { return openFile(s.FS, few, e) },
	}
	var t *tables
	if !o.AllowDamaged && o.Integrity != integrity.Full { // else they are read a second time, to compare or for what is in doubt
		t = new(tables)
		so.Table = t.part
	}
	st, err := s.Resolve(so)
	if err != nil {
		return storeState{}, err
	}
	for _, p := range st.Parts {
		sealed := p.Header.Time
		if p.Footer != nil {
			fileOf(p).last.Store(p.Footer.LastSeq)
			sealed = max(sealed, p.Footer.LastTime)
		}
		fileOf(p).sealed.Store(sealed)
	}
	return storeState{st, t}, nil
}

// keepHandles is how many of the sealed files that cannot be mapped stay open.
const keepHandles = 64

// newHandles returns the handles of sealed files that are one map too many for the process.
func newHandles(fsys vfs.FS) *vfs.Handles { return vfs.NewHandles(fsys.Open, keepHandles) }

// openFile opens a segment for reading; a sealed one is mapped by FooterRead.
func openFile(fsys vfs.FS, few *vfs.Handles, e *integrity.Entry) (*segFile, error) {
	f, err := fsys.Open(e.Name)
	if err != nil {
		return nil, vfs.TooManyFiles(err)
	}
	sf := &segFile{ref: e.Header.Ref, seed: e.Header.ChecksumSeed(), path: fsys.Path(e.Name), first: e.Header.FirstSeq}
	sf.size.Store(e.Size)
	if e.Sealed {
		sf.src.Store(&source{r: f, close: f.Close})
		sf.unmapped = &unmapped{f, e.Name, few}
	} else {
		sf.src.Store(newSource(f, e.Size, true))
	}
	sf.pin()
	return sf, nil
}

// taken returns the level at which the newest log was judged when another was
// asked for: after an unclean close it is Log at least, by itself.
func (st storeState) taken(asked integrity.Level) integrity.Level {
	if !st.Clean && asked != integrity.Full {
		return integrity.Log
	}
	return asked
}

// log is the file of the newest log.
func (st storeState) log() *segFile { return st.Src.(*segFile) }

// fileOf is the file of a part.
func fileOf(p *integrity.Part) *segFile { return p.Src.(*segFile) }

func shortList(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
