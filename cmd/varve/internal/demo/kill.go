package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/varve-db/varve/store"
)

// importArgs are those of both imports: each key is told once it is acknowledged,
// and segments are small, so that there are many.
func (d *demo) importArgs() []string {
	return []string{"import", "--verbose", "--segment-size", "8MiB", d.source}
}

// killedImport imports, and kills the importer when half of the objects have been
// acknowledged. The importer waits when nobody reads what it tells, so it
// cannot be far ahead.
func (d *demo) killedImport() error {
	say("import, and kill -9 halfway")
	start := time.Now()
	cmd := d.command(d.importArgs()...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewReaderSize(out, 4096)
	killed := false
	for {
		key, err := ackedKey(lines)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		d.acked = append(d.acked, key)
		if len(d.acked) == 1 { // there is a store
			if err := d.startArchiver(); err != nil {
				return errors.Join(err, cmd.Process.Kill())
			}
		}
		if !killed && len(d.acked) >= d.total/2 {
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				return err
			}
		}
	}
	if err := cmd.Wait(); err == nil {
		return errors.New("the importer was done before it could be killed")
	}
	share := 100 * len(d.acked) / d.total
	fmt.Printf("killed; it had reported %d of %d objects as acknowledged: %d %%\n", len(d.acked), d.total, share)
	if share < 30 || share > 70 {
		return fmt.Errorf("killed at %d %%, which is not between 30 and 70", share)
	}
	d.done(start, "import, killed", "%d objects acknowledged (%d %%)", len(d.acked), share)
	return nil
}

// ackedKey reads the next key. The last line of a process that was killed may
// lack its end: it does not count.
func ackedKey(r *bufio.Reader) (string, error) {
	l, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	l = strings.TrimSuffix(l, "\n")
	if strings.HasPrefix(l, `"`) {
		return strconv.Unquote(l)
	}
	return l, nil
}

// showRecovery shows what the next open has to recover.
func (d *demo) showRecovery() error {
	say("what the next open finds")
	start := time.Now()
	out, err := d.varveOut("stat")
	if err != nil {
		return err
	}
	fmt.Print(out)
	d.done(start, "open after the kill", "recovery report")
	return nil
}

// checkAcked proves that no acknowledged object is missing or differs.
func (d *demo) checkAcked() error {
	say("is everything there that was acknowledged?")
	start := time.Now()
	r, err := store.OpenReadOnly(d.store, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	n := int64(0)
	for _, key := range d.acked {
		got, err := r.Get([]byte(key))
		if err != nil {
			return fmt.Errorf("%q was acknowledged: %w", key, err)
		}
		want, err := d.content(key)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%q was acknowledged, and differs", key)
		}
		n += int64(len(got))
	}
	fmt.Printf("all %d acknowledged objects are there, byte for byte (%s)\n", len(d.acked), mib(n))
	d.done(start, "check", "%d of %d acknowledged objects equal the source, 0 missing", len(d.acked), len(d.acked))
	return nil
}

// content returns what the object of a key must hold: of a directory nothing.
func (d *demo) content(key string) ([]byte, error) {
	path := filepath.Join(d.source, key)
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type()&(fs.ModeDir|fs.ModeSymlink) != 0 {
		return nil, err
	}
	return os.ReadFile(path)
}
