package store

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"testing"
)

// unixNanos lists the calls of UnixNano, which returns any number for times that 64 bits do
// not hold, and a negative one before 1970: how many a file may have, all of times that
// no format holds.
var unixNanos = map[string]int{
	"segment/clock.go":         2, // what all others go by
	"store/log.go":             1, // when a sync began: a gauge
	"store/request.go":         1, // a file's time, to see that it changed
	"store/metrics/metrics.go": 1,
	"archiver/pruneplan.go":    1, // a number that a plan is named by
	"archiver/seen.go":         1, // a file's time, to see that it changed
}

// TestCommitTimesAreMadeInOnePlace: a clock that stands before 1970, or after April 2262,
// must make no commit time and no header time that readers refuse. So whatever writes one
// asks segment.NextTime, and whatever compares one with a moment asks segment.Nanos.
func TestCommitTimesAreMadeInOnePlace(t *testing.T) {
	fset := token.NewFileSet()
	found := map[string]int{}
	for dir, files := range sources(t, fset, parser.SkipObjectResolution) {
		if !slices.Contains([]string{"segment", "index", "integrity", "store", "store/metrics", "archiver"}, dir) {
			continue
		}
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "UnixNano" {
					at := fset.Position(sel.Pos())
					name, err := filepath.Rel("..", at.Filename)
					if err != nil {
						t.Fatal(err)
					}
					name = filepath.ToSlash(name)
					if found[name]++; found[name] > unixNanos[name] {
						t.Errorf("%s:%d: UnixNano; want segment.NextTime, or segment.Nanos", name, at.Line)
					}
				}
				return true
			})
		}
	}
	if found["segment/clock.go"] == 0 {
		t.Error("segment/clock.go was not looked at")
	}
}
