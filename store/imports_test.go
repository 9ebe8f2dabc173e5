package store

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/varve-db/varve"

// mayImport is the table of the design: which packages of ours a package may
// import. What is not in it has no place in the module.
var mayImport = map[string][]string{
	"segment":                       {},
	"index":                         {"segment"},
	"integrity":                     {"integrity/internal/walk", "segment", "internal/vfs"},
	"integrity/check":               {"integrity", "segment", "internal/vfs"},
	"integrity/repair":              {"integrity", "integrity/internal/walk", "segment", "internal/vfs"},
	"integrity/salvage":             {"index", "integrity", "integrity/internal/walk", "segment", "internal/vfs"},
	"integrity/internal/walk":       {"segment"},
	"integrity/internal/injured":    {"internal/crashfs", "segment", "internal/vfs"},                                                                                    // for tests
	"integrity/internal/fixture":    {"integrity", "integrity/repair", "integrity/salvage", "internal/crashfs", "internal/testkit", "segment", "store", "internal/vfs"}, // for tests
	"store":                         {"segment", "index", "integrity", "internal/receipt", "internal/vfs"},
	"store/metrics":                 {"store"},
	"store/sealer":                  {"archiver/source", "integrity", "internal/statefile", "segment", "internal/vfs", "store"},
	"archiver":                      {"archiver/alarm", "archiver/archive", "archiver/internal/parallel", "archiver/internal/sealed", "archiver/internal/throttle", "archiver/source", "archiver/target", "internal/receipt", "internal/statefile", "segment", "internal/vfs"},
	"archiver/target":               {"internal/statefile", "segment", "internal/vfs"},
	"archiver/target/dir":           {"archiver/target", "internal/statefile", "internal/vfs"},
	"archiver/target/s3":            {"archiver/target"},
	"archiver/target/targettest":    {"archiver/target"},
	"archiver/archive":              {"archiver/internal/parallel", "archiver/internal/sealed", "archiver/target", "integrity", "segment"},
	"archiver/source":               {"archiver/internal/sealed", "integrity", "internal/receipt", "internal/statefile", "segment", "internal/vfs"},
	"archiver/history":              {"archiver/archive", "archiver/internal/pages", "archiver/internal/parallel", "archiver/internal/sealed", "archiver/target", "segment"},
	"archiver/restore":              {"archiver/archive", "archiver/history", "archiver/internal/parallel", "archiver/internal/sealed", "archiver/internal/throttle", "archiver/target", "integrity", "segment", "internal/vfs"},
	"archiver/inplace":              {"archiver/archive", "archiver/history", "archiver/internal/pages", "archiver/internal/parallel", "archiver/internal/sealed", "segment"},
	"archiver/prune":                {"archiver/archive", "archiver/history", "archiver/internal/parallel", "archiver/target", "internal/statefile", "segment"},
	"archiver/backup":               {"archiver/archive", "archiver/history", "archiver/internal/parallel", "archiver/source", "archiver/target", "internal/receipt", "segment", "internal/vfs"},
	"archiver/audit":                {"archiver/archive", "archiver/internal/parallel", "archiver/internal/sealed", "archiver/source", "archiver/target", "internal/receipt", "segment", "internal/vfs"},
	"archiver/alarm":                {},
	"archiver/metrics":              {"archiver", "archiver/alarm"},
	"archiver/internal/pages":       {},
	"archiver/internal/parallel":    {},
	"archiver/internal/sealed":      {"internal/receipt", "segment"},
	"archiver/internal/throttle":    {},
	"archiver/internal/archivesim":  {"archiver/archive", "archiver/target", "internal/testkit", "segment"},                                                                                             // for tests
	"archiver/internal/archivetest": {"archiver/archive", "archiver/history", "archiver/inplace", "archiver/restore", "archiver/target", "archiver/target/dir", "internal/testkit", "segment", "store"}, // for tests
	"internal/receipt":              {"integrity", "internal/statefile", "segment", "internal/vfs"},
	"internal/receipt/receipttest":  {"internal/crashfs", "internal/receipt", "internal/testkit", "segment", "internal/vfs"}, // for tests
	"internal/statefile":            {"internal/vfs"},
	"internal/testkit":              {},
	"internal/vfs":                  {},
	"internal/crashfs":              {"internal/vfs"},
	"internal/jsonpack":             {"segment"},
	"cmd/varve":                     {"archiver", "archiver/alarm", "archiver/archive", "archiver/audit", "archiver/backup", "archiver/history", "archiver/inplace", "archiver/metrics", "archiver/prune", "archiver/restore", "archiver/source", "archiver/target", "archiver/target/dir", "archiver/target/s3", "integrity", "integrity/check", "integrity/repair", "integrity/salvage", "internal/jsonpack", "internal/receipt", "segment", "store", "store/sealer", "internal/vfs"},
}

// forTests are packages that only tests import.
var forTests = []string{"archiver/target/targettest", "archiver/internal/archivesim", "archiver/internal/archivetest", "integrity/internal/fixture", "integrity/internal/injured", "internal/receipt/receipttest"}

// sources parses the module's Go files, tests left out, by folder.
func sources(t *testing.T, fset *token.FileSet, mode parser.Mode) map[string][]*ast.File {
	t.Helper()
	dirs := map[string][]*ast.File{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			other := path != ".." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bench") // bench is a module of its own
			if other {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, mode)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel("..", filepath.Dir(path))
		dirs[filepath.ToSlash(dir)] = append(dirs[filepath.ToSlash(dir)], f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// TestImportGraph holds the packages to the design's table.
func TestImportGraph(t *testing.T) {
	dirs := sources(t, token.NewFileSet(), parser.ImportsOnly)
	for dir, files := range dirs {
		allowed, ok := mayImport[dir]
		if strings.HasPrefix(dir, "cmd/varve/") {
			allowed, ok = mayImport["cmd/varve"], true
		}
		if !ok {
			t.Errorf("%s: the design has no such place", dir)
			continue
		}
		for _, f := range files {
			for _, spec := range f.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				ours, ok := strings.CutPrefix(path, module+"/")
				if strings.HasPrefix(ours, "cmd/varve/") && strings.HasPrefix(dir, "cmd/varve") {
					continue
				}
				if ok && !slices.Contains(allowed, ours) {
					t.Errorf("%s imports %s; it may import %q", dir, ours, allowed)
				}
			}
		}
	}
	if len(dirs["store"]) == 0 {
		t.Errorf("found no sources: %v", len(dirs))
	}
}

// TestWhatAnEmbedderLinks looks at everything that a program with the store in
// it links.
func TestWhatAnEmbedderLinks(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard", ".").Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	allowed := []string{module, "github.com/google/btree", "golang.org/x/sys", "golang.org/x/time"}
	n := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); n++ {
		var p struct {
			ImportPath string
			Standard   bool
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.Standard {
			continue
		}
		if !slices.ContainsFunc(allowed, func(a string) bool { return p.ImportPath == a || strings.HasPrefix(p.ImportPath, a+"/") }) {
			t.Errorf("the store links %s", p.ImportPath)
		}
	}
	if n < 20 {
		t.Errorf("go list names %d packages", n)
	}
}

// TestEverythingExportedIsDocumented wants a sentence for each exported name, and
// for each package a comment that go doc shows.
func TestEverythingExportedIsDocumented(t *testing.T) {
	fset := token.NewFileSet()
	for dir, files := range sources(t, fset, parser.ParseComments) {
		commented := 0
		for _, f := range files {
			if f.Doc != nil {
				commented++
			}
			for _, d := range f.Decls {
				undocumented(d, func(name string, pos token.Pos) {
					t.Errorf("%v: %s has no comment", fset.Position(pos), name)
				})
			}
		}
		if commented != 1 {
			t.Errorf("%s: %d package comments are attached; want 1", dir, commented)
		}
	}
}

// undocumented reports the exported names of a declaration that have no comment.
func undocumented(d ast.Decl, report func(name string, pos token.Pos)) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || ofExported(d.Recv)) {
			report(d.Name.Name, d.Pos())
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					report(s.Name.Name, s.Pos())
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						report(n.Name, s.Pos())
					}
				}
			}
		}
	}
}

// ofExported reports whether a method belongs to an exported type, or to the
// view, whose methods are those of DB and Reader.
func ofExported(recv *ast.FieldList) bool {
	t := recv.List[0].Type
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	id, ok := t.(*ast.Ident)
	return ok && (id.IsExported() || id.Name == "view")
}

// TestLibrariesWriteByVfsAlone: what changes a disk goes by internal/vfs, so that crash tests see
// it. One call is let through: a line is appended to the log of a folder of copies, which vfs
// cannot do without a chance that two runs overwrite each other, and on which nothing depends.
func TestLibrariesWriteByVfsAlone(t *testing.T) {
	changes := []string{"Chmod", "Chtimes", "CopyFS", "Create", "CreateTemp", "Link", "Mkdir", "MkdirAll", "MkdirTemp",
		"OpenFile", "OpenRoot", "Remove", "RemoveAll", "Rename", "Symlink", "Truncate", "WriteFile"}
	var calls []string
	for dir, files := range sources(t, token.NewFileSet(), 0) {
		top, _, _ := strings.Cut(dir, "/")
		if top == "cmd" || dir == "internal/vfs" || slices.Contains(forTests, dir) {
			continue
		}
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(changes, s.Sel.Name) {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "os" {
						calls = append(calls, dir+": os."+s.Sel.Name)
					}
				}
				return true
			})
		}
	}
	if want := []string{"store: os.OpenFile"}; !slices.Equal(calls, want) {
		t.Errorf("%q; want %q", calls, want)
	}
}

// TestLibrariesNameNoCommand: a library's text says what has to be done, and cmd/varve says by
// which command and flag.
func TestLibrariesNameNoCommand(t *testing.T) {
	fset := token.NewFileSet()
	dirs := sources(t, fset, 0)
	var uses []string
	for _, s := range literals(dirs["cmd/varve"]) {
		if s.key == "Use" {
			uses = append(uses, regexp.QuoteMeta(strings.Fields(s.text)[0]))
		}
	}
	if len(uses) < 20 {
		t.Fatalf("found the commands %q", uses)
	}
	named := regexp.MustCompile(`\bvarve (` + strings.Join(uses, "|") + `)\b|(^|[^-\w])--[a-z]|(^|\s)-[a-z]\b`)
	shell := strings.NewReplacer("ulimit -n", "", "ulimit -f", "") // which the shell has
	for dir, files := range dirs {
		if dir == "cmd/varve" || strings.HasPrefix(dir, "cmd/varve/") || slices.Contains(forTests, dir) {
			continue
		}
		for _, s := range literals(files) {
			if named.MatchString(shell.Replace(s.text)) {
				t.Errorf("%v: a library names a command or a flag: %q", fset.Position(s.pos), s.text)
			}
		}
	}
}

// literal is a string literal, and the field that a composite literal gives it to, if any.
type literal struct {
	key, text string
	pos       token.Pos
}

func literals(files []*ast.File) (all []literal) {
	for _, f := range files {
		keys := map[ast.Expr]string{}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				return false
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok {
					keys[n.Value] = k.Name
				}
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					all = append(all, literal{keys[n], s, n.Pos()})
				}
			}
			return true
		})
	}
	return all
}
