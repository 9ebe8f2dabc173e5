package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// startArchiver makes an archive and has the daemon ship to it, from now until
// stopArchiver. It goes on through everything that happens to the importer.
func (d *demo) startArchiver() error {
	if _, err := d.varveOut("archive", "init", "--to", d.archive); err != nil {
		return err
	}
	d.archiver = d.command("archive", "run", "--to", d.archive, "--poll", "1s", "--seal-after", "5s")
	d.archiver.Stderr = &d.shipped
	return d.archiver.Start()
}

// stopArchiver ends the daemon as an init system does.
func (d *demo) stopArchiver() error {
	if err := d.archiver.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := d.archiver.Wait(); err != nil {
		return fmt.Errorf("varve archive run: %w\n%s", err, d.shipped.String())
	}
	fmt.Printf("the archiver shipped %d segments\n", strings.Count(d.shipped.String(), "msg=shipped"))
	return nil
}

// mistake notes the time, and then does to the store what a person would want to have
// undone.
func (d *demo) mistake() error {
	say("archive what is there; then a mistake, which is archived, too")
	start := time.Now()
	// One archiver at a time is at work on a store and an archive.
	if err := d.stopArchiver(); err != nil {
		return err
	}
	if _, err := d.varveOut("archive", "once", "--to", d.archive); err != nil {
		return err
	}
	d.before = time.Now()
	for _, args := range [][]string{{"del", "go/ast/ast.go"}, {"put", "fmt/print.go", "nonsense"}, {"put", "not/of/the/source", "more nonsense"}} {
		if err := d.command(args...).Run(); err != nil {
			return fmt.Errorf("varve %s: %w", args[0], err)
		}
	}
	out, err := d.varveOut("archive", "once", "--to", d.archive)
	if err != nil {
		return err
	}
	fmt.Print(out)
	if out, err = d.varveOut("archive", "audit", "--to", d.archive); err != nil {
		return err
	}
	fmt.Print(out)
	d.done(start, "archive", "each sealed segment once, shipped while the import ran; audited")
	return nil
}

// loseStore removes the store.
func (d *demo) loseStore() error {
	say("the store is lost")
	fmt.Println("$ rm -rf store")
	return removeAll(d.store)
}

// restore brings the store back as it was before the mistake.
func (d *demo) restore() error {
	say("restore the moment before the mistake")
	start := time.Now()
	at := d.before.UTC().Format(time.RFC3339Nano)
	out, err := d.varveOut("restore", "--from", d.archive, "--at", at, d.store)
	if err != nil {
		return err
	}
	fmt.Print(out)
	if out, err = d.varveOut("check"); err != nil {
		return err
	}
	fmt.Print(out)
	err = d.command("has", "not/of/the/source").Run()
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 1 {
		return fmt.Errorf("what was put after that moment is there: %v", err)
	}
	if err := os.RemoveAll(d.dest); err != nil {
		return err
	}
	d.done(start, "restore", "the moment %s", strings.TrimSuffix(at, "Z"))
	return nil
}
