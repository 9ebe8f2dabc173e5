package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/segment"
)

// build is what version prints.
type build struct {
	Version  string `json:"version"`            // of the module, "(devel)" if it was built from a checkout
	Revision string `json:"revision,omitempty"` // of the checkout
	Modified bool   `json:"modified,omitempty"` // it held changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Format   int    `json:"format"` // version of the segment format that is written
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of program and format",
		Long: `Print the version of the program, of Go, and of the segment format.

With --json: version, revision, modified (of the checkout that it was built from),
go, platform, format.`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE:              func(*cobra.Command, []string) error { return a.version() },
	}
}

// version prints what the program is.
func (a *app) version() error {
	b := thisBuild()
	if a.json {
		return a.printJSON(b)
	}
	v := b.Version
	if b.Revision != "" {
		v += " " + b.Revision
	}
	if b.Modified {
		v += " with changes"
	}
	_, err := fmt.Fprintf(a.out, "varve %s, segment format %d, %s %s\n", v, b.Format, b.Go, b.Platform)
	return err
}

func thisBuild() build {
	b := build{Version: "(unknown)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Format: segment.Version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}
