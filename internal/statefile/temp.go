package statefile

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/varve-db/varve/internal/vfs"
)

// A file becomes visible whole: it is written under a temporary name in its own folder,
// synced, and linked to its name. A kill or a power cut may leave a temporary file, which
// belongs to nobody. The next start removes it if its name tells that its writer ran on this
// machine and has ended. Otherwise it is removed when it is too old for any writer to be still
// at work on it. If the file of a live writer is removed all the same, the writer fails to
// link it, and tries again.
const (
	TempPrefix = ".tmp-"
	TempAge    = 24 * time.Hour
)

// NewTemp returns a temporary name that nobody else has: with the machine and the number of
// this process.
func NewTemp() string { return TempOf(os.Getpid()) }

// TempOf returns a temporary name of a process of this machine.
func TempOf(pid int) string {
	return fmt.Sprintf("%s%s-%d-%s", TempPrefix, machine(), pid, rand.Text())
}

// machine stands for where process numbers mean what they mean here: the host, and on
// Linux the namespace of processes.
var machine = sync.OnceValue(func() string {
	host, _ := os.Hostname()
	space, _ := os.Readlink("/proc/self/ns/pid")
	sum := sha256.Sum256([]byte(host + "/" + space))
	return hex.EncodeToString(sum[:4])
})

// abandoned reports whether the writer of a temporary is known to have ended.
func abandoned(name string) bool {
	parts := strings.Split(strings.TrimPrefix(name, TempPrefix), "-")
	if len(parts) != 3 || parts[0] != machine() {
		return false
	}
	pid, err := strconv.Atoi(parts[1])
	return err == nil && pid > 0 && pid != os.Getpid() && !running(pid)
}

// RemoveTemps removes the temporaries in a folder that were last written before
// a time, or whose writer is known to have ended.
func RemoveTemps(fsys vfs.FS, dir string, before time.Time) error {
	list, err := fsys.ReadDir(dir)
	if err != nil {
		return vfs.IgnoreAbsent(err)
	}
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), TempPrefix) || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err == nil && (info.ModTime().Before(before) || abandoned(e.Name())) {
			err = fsys.Remove(path.Join(dir, e.Name()))
		}
		if vfs.IgnoreAbsent(err) != nil {
			return err
		}
	}
	return nil
}

// WriteFile makes a file with synced content. After an error it may be there
// in part.
func WriteFile(fsys vfs.FS, name string, b []byte) error {
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
