package store

import (
	"bufio"
	"bytes"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestExportedNamesNoInternalType: what an embedder meets can be written down outside this
// module. So no exported signature, field, variable or constant of a package that can be imported
// names a type of an internal one, unless an alias that is exported gives the type a name.
func TestExportedNamesNoInternalType(t *testing.T) {
	var public []*types.Package
	for _, path := range packagesOf(t) {
		if !internal(path.Path()) && path.Name() != "main" {
			public = append(public, path)
		}
	}
	if len(public) < 15 {
		t.Errorf("%d packages can be imported", len(public))
	}
	for _, problem := range unnamable(public) {
		t.Error(problem)
	}
}

// packagesOf type-checks the packages of the module, from what the compiler has exported.
func packagesOf(t *testing.T) (all []*types.Package) {
	t.Helper()
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", module+"/...").Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	files, ours := map[string]string{}, []string{}
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		path, file, _ := strings.Cut(s.Text(), " ")
		files[path] = file
		if strings.HasPrefix(path, module+"/") {
			ours = append(ours, path)
		}
	}
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })
	for _, path := range ours {
		p, err := imp.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// internal reports whether only this module may import a package of it.
func internal(path string) bool {
	return strings.HasPrefix(path, module+"/") && slices.Contains(strings.Split(path, "/"), "internal")
}

// unnamable returns where the packages' exported names lead to a type that has no name outside.
func unnamable(public []*types.Package) []string {
	w := apiWalk{named: map[*types.TypeName]bool{}, seen: map[types.Type]bool{}}
	for _, p := range public {
		for _, name := range p.Scope().Names() {
			if o, ok := p.Scope().Lookup(name).(*types.TypeName); ok && o.Exported() && o.IsAlias() {
				if n, ok := types.Unalias(o.Type()).(*types.Named); ok {
					w.named[n.Origin().Obj()] = true
				}
			}
		}
	}
	for _, p := range public {
		for _, name := range p.Scope().Names() {
			if o := p.Scope().Lookup(name); o.Exported() {
				w.walk(p.Path()+"."+name, o.Type())
			}
		}
	}
	slices.Sort(w.found)
	return w.found
}

// apiWalk goes through all types that exported names lead to.
type apiWalk struct {
	named map[*types.TypeName]bool // by an alias that is exported
	seen  map[types.Type]bool
	found []string
}

// walk goes on from a type. where says how it was reached.
func (w *apiWalk) walk(where string, t types.Type) {
	n, isNamed := types.Unalias(t).(*types.Named)
	if isNamed {
		o := n.Origin().Obj()
		if o.Pkg() == nil || !strings.HasPrefix(o.Pkg().Path(), module+"/") {
			return
		}
		if internal(o.Pkg().Path()) && !w.named[o] {
			w.found = append(w.found, fmt.Sprintf("%s names %s.%s", where, o.Pkg().Path(), o.Name()))
			return
		}
	}
	if w.seen[types.Unalias(t)] {
		return
	}
	w.seen[types.Unalias(t)] = true
	if isNamed {
		for arg := range n.TypeArgs().Types() {
			w.walk(where, arg)
		}
		for m := range types.NewMethodSet(types.NewPointer(n)).Methods() { // those of what is embedded, too
			if m.Obj().Exported() {
				w.walk(where+"."+m.Obj().Name(), m.Type())
			}
		}
	}
	switch u := t.Underlying().(type) {
	case *types.Signature:
		for p := range u.TypeParams().TypeParams() {
			w.walk(where, p.Constraint())
		}
		w.walk(where, u.Params())
		w.walk(where, u.Results())
	case *types.Tuple:
		for v := range u.Variables() {
			w.walk(where, v.Type())
		}
	case *types.Struct:
		for f := range u.Fields() {
			if f.Exported() || f.Embedded() {
				w.walk(where+"."+f.Name(), f.Type())
			}
		}
	case *types.Interface:
		for m := range u.Methods() {
			w.walk(where+"."+m.Name(), m.Type())
		}
		for e := range u.EmbeddedTypes() {
			w.walk(where, e)
		}
	case *types.Map:
		w.walk(where, u.Key())
		w.walk(where, u.Elem())
	case *types.Union:
		for term := range u.Terms() {
			w.walk(where, term.Type())
		}
	case interface{ Elem() types.Type }: // a pointer, slice, array or channel
		w.walk(where, u.Elem())
	}
}
