package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// finishImport imports the rest, and on the way reads beside the writer: it stops
// to read what the importer tells, so that the importer holds the store open,
// and runs readers.
func (d *demo) finishImport() error {
	say("finish the import, and read while it writes")
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
	rest := d.total - len(d.acked)
	looks, last := 0, ""
	for n := 1; ; n++ {
		l, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if last = strings.TrimSuffix(l, "\n"); strings.HasSuffix(last, "/") {
			continue
		}
		if n >= (looks+1)*rest/6 && looks < 3 { // the writer is at most some way ahead of this
			looks++
			if err := d.readBeside(last); err != nil {
				return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("varve import: %w", err)
	}
	fmt.Println(last)
	if looks == 0 {
		return errors.New("the writer was done before it could be read beside")
	}
	d.done(start, "rest of the import", "%d objects, %d looks beside the writer", rest, looks)
	return nil
}

// readBeside reads the object that was acknowledged last, counts what a scan
// shows, and tries to be a second writer.
func (d *demo) readBeside(key string) error {
	want, err := d.content(key)
	if err != nil {
		return err
	}
	if err := d.waitFor(key, want); err != nil {
		return err
	}
	keys, err := d.varveOut("scan", "--keys-only")
	if err != nil {
		return err
	}
	fmt.Printf("  %d objects to be seen, the one just acknowledged among them\n", strings.Count(keys, "\n"))
	err = d.command("put", "second", "writer").Run()
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 4 {
		return fmt.Errorf("a second writer was not refused with exit code 4: %v", err)
	}
	return nil
}

// waitFor gets a key until it is there: a reader may see an object some 50 ms after
// it was acknowledged.
func (d *demo) waitFor(key string, want []byte) error {
	for limit := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got, err := d.varveOut("get", "--quoted", key)
		if err == nil && bytes.Equal([]byte(got), want) {
			return nil
		}
		if err == nil {
			return fmt.Errorf("%q differs beside the writer", key)
		}
		if time.Now().After(limit) {
			return fmt.Errorf("%q was acknowledged, and a reader beside the writer does not see it: %w", key, err)
		}
	}
}
