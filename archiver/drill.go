package archiver

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/vfs"
)

// drillName is the state file of the last restore drill.
const drillName = "drill.json"

// Drill is a restore that was made to prove that the archive can be restored.
type Drill struct {
	Time time.Time `json:"time"` // when it succeeded
	URL  string    `json:"url"`  // of the archive
}

// RecordDrill keeps a drill that succeeded in the folder of receipts, so that the archiver's
// status and metrics show how long ago it was.
func RecordDrill(receipts string, d Drill) error { return recordDrill(vfs.Dir(receipts), d) }

func recordDrill(receipts vfs.FS, d Drill) error {
	if err := receipts.Mkdir("."); err != nil {
		return fmt.Errorf("the drill cannot be recorded: %w", err)
	}
	return statefile.Replace(receipts, drillName, d)
}

// readDrill takes over what the last drill left.
func (a *Archiver) readDrill() {
	var d Drill
	err := statefile.Read(a.opt.receipts, drillName, &d)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.opt.Logger.Warn("the last restore drill is not known", "err", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drill = d.Time
}
