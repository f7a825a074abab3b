package archtest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The hard stops of the house style.
const (
	maxFile      = 500
	maxTestFile  = 800
	maxFunc      = 60
	maxParams    = 5
	maxInterface = 6
	maxPackage   = 1500
)

var forbiddenNames = []string{"util", "utils", "common", "helper", "helpers", "misc", "base", "types", "models", "manager"}

type source struct {
	path string // from the repository's root
	set  *token.FileSet
	file *ast.File
	size int // lines
}

func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.set.Position(n.Pos()).Line)
}

func (s source) lines(n ast.Node) int {
	return s.set.Position(n.End()).Line - s.set.Position(n.Pos()).Line + 1
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir("../..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name != ".." && strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(file, "../../"))
		all = append(all, source{name, set, parsed, strings.Count(string(text), "\n")})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSizes(t *testing.T) {
	packages := map[string]int{}
	for _, s := range sources(t) {
		limit := maxFile
		if s.test() {
			limit = maxTestFile
		} else {
			packages[filepath.Dir(s.path)] += s.size
		}
		if s.size > limit {
			t.Errorf("%s has %d lines, more than %d", s.path, s.size, limit)
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			checkNode(t, s, n)
			return true
		})
	}
	for name, size := range packages {
		if size > maxPackage {
			t.Errorf("package %s has %d lines, more than %d: split it by subject", name, size, maxPackage)
		}
	}
}

func checkNode(t *testing.T, s source, n ast.Node) {
	t.Helper()
	switch n := n.(type) {
	case *ast.FuncDecl:
		if lines := s.lines(n); lines > maxFunc && !s.test() {
			t.Errorf("%s: %s has %d lines, more than %d", s.at(n), n.Name.Name, lines, maxFunc)
		}
		if count := n.Type.Params.NumFields(); count > maxParams && !s.test() {
			t.Errorf("%s: %s has %d parameters, more than %d: use a struct", s.at(n), n.Name.Name, count, maxParams)
		}
		if n.Recv == nil && n.Name.Name == "init" {
			t.Errorf("%s: init functions hide order; write it out", s.at(n))
		}
	case *ast.InterfaceType:
		if count := n.Methods.NumFields(); count > maxInterface {
			t.Errorf("%s: an interface of %d methods, more than %d", s.at(n), count, maxInterface)
		}
	}
}

func TestComments(t *testing.T) {
	commented := map[string]bool{}
	for _, s := range sources(t) {
		dir := filepath.Dir(s.path)
		if s.test() {
			continue
		}
		commented[dir] = commented[dir] || s.file.Doc != nil
		for _, decl := range s.file.Decls {
			checkDoc(t, s, decl)
		}
		if slices.Contains(forbiddenNames, s.file.Name.Name) {
			t.Errorf("%s: a package called %s says nothing", s.path, s.file.Name.Name)
		}
	}
	for dir, ok := range commented {
		if !ok {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

func checkDoc(t *testing.T, s source, decl ast.Decl) {
	t.Helper()
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Name.IsExported() && decl.Doc == nil && (decl.Recv == nil || exportedReceiver(decl)) {
			t.Errorf("%s: %s has no doc comment", s.at(decl), decl.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			if spec, ok := spec.(*ast.TypeSpec); ok && spec.Name.IsExported() && decl.Doc == nil && spec.Doc == nil {
				t.Errorf("%s: %s has no doc comment", s.at(spec), spec.Name.Name)
			}
			if spec, ok := spec.(*ast.ValueSpec); ok && spec.Names[0].IsExported() && decl.Doc == nil && spec.Doc == nil && spec.Comment == nil {
				t.Errorf("%s: %s has no doc comment", s.at(spec), spec.Names[0].Name)
			}
		}
	}
}

func exportedReceiver(f *ast.FuncDecl) bool {
	kind := f.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	if index, ok := kind.(*ast.IndexExpr); ok {
		kind = index.X
	}
	name, ok := kind.(*ast.Ident)
	return ok && name.IsExported()
}

// TestProcessWideThings keeps exits, environment and root contexts at the
// edge, where they can be seen.
func TestProcessWideThings(t *testing.T) {
	forbidden := map[string][]string{
		"os":      {"Exit", "Getenv", "LookupEnv", "Args", "Stdin", "Stdout", "Environ"},
		"context": {"Background", "TODO"},
	}
	for _, s := range sources(t) {
		if s.test() || strings.HasPrefix(s.path, "cmd/") || strings.HasPrefix(s.path, "internal/bench/") || strings.HasPrefix(s.path, "internal/demo/") ||
			strings.HasPrefix(s.path, "internal/testenv/") || strings.HasPrefix(s.path, "internal/e2e/") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if of, ok := selector.X.(*ast.Ident); ok && slices.Contains(forbidden[of.Name], selector.Sel.Name) {
				t.Errorf("%s: %s.%s belongs in cmd", s.at(n), of.Name, selector.Sel.Name)
			}
			return true
		})
	}
}

// TestEveryGoroutineSaysWhatEndsIt wants a comment on or above each go
// statement.
func TestEveryGoroutineSaysWhatEndsIt(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		commented := map[int]bool{}
		for _, group := range s.file.Comments {
			commented[s.set.Position(group.End()).Line] = true
			commented[s.set.Position(group.Pos()).Line] = true
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				line := s.set.Position(g.Pos()).Line
				if !commented[line] && !commented[line-1] {
					t.Errorf("%s: what ends this goroutine?", s.at(g))
				}
			}
			return true
		})
	}
}
