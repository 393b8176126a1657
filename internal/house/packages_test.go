package house

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// modulePath starts the import path of every package of ours.
const modulePath = "peerlab.example/peerlab"

// goPackage is what these tests read of `go list -json`.
type goPackage struct {
	ImportPath   string
	Name         string
	Dir          string
	GoFiles      []string
	CgoFiles     []string
	IgnoredFiles []string `json:"IgnoredGoFiles"` // for other systems
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
}

// goFile is one parsed Go file.
type goFile struct {
	name string // below the module's root
	fset *token.FileSet
	ast  *ast.File
}

// short is the package's path below the module: "" for the root package.
func (p goPackage) short() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, modulePath), "/")
}

// generated reports whether the package is generated from protobuf.
func generated(short string) bool { return strings.HasPrefix(short, "proto/") }

// code parses the files that are no tests, those for other systems included.
func (p goPackage) code(t *testing.T) []goFile {
	t.Helper()
	names := slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredFiles)
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	return p.parse(t, names)
}

// tests parses the test files.
func (p goPackage) tests(t *testing.T) []goFile {
	t.Helper()
	return p.parse(t, slices.Concat(p.TestGoFiles, p.XTestGoFiles))
}

func (p goPackage) parse(t *testing.T, names []string) []goFile {
	t.Helper()
	fset := token.NewFileSet()
	var files []goFile
	for _, name := range names {
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, goFile{name: path.Join(p.short(), name), fset: fset, ast: file})
	}
	return files
}

// line is where a node stands, as file:line.
func (f goFile) line(n ast.Node) string {
	return f.name + ":" + strconv.Itoa(f.fset.Position(n.Pos()).Line)
}

// imports lists the paths that the file imports.
func (f goFile) imports() []string {
	var paths []string
	for _, spec := range f.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
		paths = append(paths, p)
	}
	return paths
}

// localName is the name by which the file speaks of an imported package, or ""
// if it does not import it. base is the name that the package gives itself.
func (f goFile) localName(importPath, base string) string {
	for _, spec := range f.ast.Imports {
		if p, _ := strconv.Unquote(spec.Path.Value); p == importPath {
			if spec.Name != nil {
				return spec.Name.Name
			}
			return base
		}
	}
	return ""
}

// refersTo reports whether n is pkg.name, where pkg is a name in the file.
func refersTo(n ast.Node, pkg, name string) bool {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && pkg != "" && x.Name == pkg
}

// listPackages runs `go list` once for all tests.
var listPackages = sync.OnceValues(func() ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-json", modulePath+"/...")
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			return nil, errors.New("go list: " + string(failed.Stderr))
		}
		return nil, err
	}
	var packages []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
})

// packages lists all packages of the module. It also reads their folders, so
// that go test takes a new file or package for a reason to test again, instead
// of repeating the result it has kept: it cannot see what go list reads.
func packages(t *testing.T) []goPackage {
	t.Helper()
	err := filepath.WalkDir(moduleRoot(t), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // another test's file may come and go
		t.Fatal(err)
	}
	all, err := listPackages()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
