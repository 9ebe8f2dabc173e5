package sealer

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// ask makes a request, and waits until the writer has removed it. It reports false if there is no
// writer any more.
func (s *Sealer) ask(ctx context.Context) (bool, error) {
	token := rand.Text()
	temp := integrity.ReceiptsName + "/" + statefile.NewTemp()
	if err := s.fsys.Mkdir(integrity.ReceiptsName); err != nil {
		return false, err
	}
	err := statefile.WriteFile(s.fsys, temp, []byte(token))
	if err == nil {
		err = s.fsys.Rename(temp, store.SealRequest)
	}
	if err != nil {
		return false, errors.Join(err, s.fsys.Remove(temp))
	}
	for n := 1; ; n++ {
		if err := s.pause(ctx); err != nil {
			s.takeBack(token)
			return false, err
		}
		if _, err := s.fsys.Stat(store.SealRequest); err != nil {
			return errors.Is(err, fs.ErrNotExist), vfs.IgnoreAbsent(err)
		}
		if n%10 != 0 {
			continue
		}
		if live, err := s.fsys.Locked(segment.LockName); err != nil || !live {
			s.takeBack(token)
			return false, err
		}
	}
}

// takeBack removes the request, unless it is another one by now. To leave one does no harm: a
// log without objects is not sealed.
func (s *Sealer) takeBack(token string) {
	f, err := s.fsys.Open(store.SealRequest)
	if err != nil {
		return
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 64))
	if f.Close() == nil && err == nil && string(b) == token {
		_ = s.fsys.Remove(store.SealRequest)
	}
}
