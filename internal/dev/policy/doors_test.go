package policy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A source is one file that is not a test.
type source struct {
	path string // below the top
	in   string // its package's folder: "internal/sys", "cmd/forward"
	file *ast.File
}

// sources parses every file but tests and the packages that serve tests.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	files := token.NewFileSet()
	for _, top := range []string{"conf", "internal", "cmd"} {
		err := filepath.WalkDir("../../../"+top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			path = strings.TrimPrefix(path, "../../../")
			in := filepath.Dir(path)
			if strings.HasPrefix(in, "internal/dev/") {
				return nil
			}
			all = append(all, source{path, in, f})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func imports(s source) []string {
	var list []string
	for _, i := range s.file.Imports {
		list = append(list, strings.Trim(i.Path.Value, `"`))
	}
	return list
}

// selectors returns each package.Name that a file mentions, and each bare field name as .Name.
func selectors(s source) []string {
	var list []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		if x, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := x.X.(*ast.Ident); ok {
				list = append(list, id.Name+"."+x.Sel.Name)
			}
			list = append(list, "."+x.Sel.Name)
		}
		if kv, ok := n.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok {
				list = append(list, "."+id.Name)
			}
		}
		return true
	})
	return list
}

// doors are things that only some packages may do, and why.
func doors() []struct{ what, where, why string } {
	return []struct{ what, where, why string }{
		{"import golang.org/x/sys", "internal/sys internal/sys/inet", "raw system calls have one home"},
		{"import unsafe", "internal/sys/sysuser", "memory is safe"},
		{"import C", "internal/sys/sysuser", "cgo costs every start 0.7 ms"},
		{".Setuid .Setgid .Setgroups .Setreuid .Setregid .Setresuid .Setresgid .Credential", "internal/sys/priv",
			"every change of uid can be read in one file"},
		{"os.Exit os.Stdin os.Stdout os.Stderr", "internal/sys/proc cmd/",
			"an engine is given its files and returns its code"},
		{"os.Setenv os.Unsetenv os.Clearenv", "", "a worker serves several jobs: the environment is a value"},
		{"os.Chdir .Umask", "internal/sys/proc internal/sys cmd/", "a worker serves several jobs: paths instead of folders"},
		{"os.Getenv os.LookupEnv os.Environ", "cmd/", "an engine is given its environment"},
		{"strings.ToLower strings.ToUpper strings.EqualFold strings.Title bytes.ToLower bytes.ToUpper bytes.EqualFold",
			"", "addresses are bytes: internal/text/ascii folds them"},
		{"strings.TrimSpace strings.Fields bytes.TrimSpace bytes.Fields", "", "they cut Unicode blanks out of bytes"},
		{"import unicode", "", "messages are bytes"},
		{"time.Local", "cmd/predate", "$TZ may name any file"},
	}
}

func TestADoorIsUsedOnlyByItsKeeper(t *testing.T) {
	for _, s := range sources(t) {
		sel, imp := selectors(s), imports(s)
		for _, d := range doors() {
			if allowed(s.in, d.where) {
				continue
			}
			if path, ok := strings.CutPrefix(d.what, "import "); ok {
				for _, i := range imp {
					if i == path || strings.HasPrefix(i, path+"/") {
						t.Errorf("%s imports %s: %s", s.path, i, d.why)
					}
				}
				continue
			}
			for _, w := range strings.Fields(d.what) {
				if slices.Contains(sel, w) {
					t.Errorf("%s mentions %s: %s", s.path, w, d.why)
				}
			}
		}
	}
}

// allowed reports whether package folder in is one of where's, or below one that ends in a slash.
func allowed(in, where string) bool {
	for _, w := range strings.Fields(where) {
		if in == w || strings.HasSuffix(w, "/") && strings.HasPrefix(in, w) {
			return true
		}
	}
	return false
}

func TestNothingRunsBeforeMain(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s has an init", s.path)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					v, ok := spec.(*ast.ValueSpec)
					if !ok || d.Tok != token.VAR {
						continue
					}
					for _, x := range v.Values {
						if costs(x) {
							t.Errorf("%s: %s is made at every start", s.path, v.Names[0].Name)
						}
					}
				}
			}
		}
	}
}

// costs reports whether a package-level value is a map or the result of a call other than errors.New.
func costs(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.CompositeLit:
		_, isMap := x.Type.(*ast.MapType)
		return isMap
	case *ast.CallExpr:
		if f, ok := x.Fun.(*ast.SelectorExpr); ok {
			if id, ok := f.X.(*ast.Ident); ok {
				return id.Name == "regexp" || id.Name == "os"
			}
		}
		if f, ok := x.Fun.(*ast.Ident); ok && f.Name == "make" && len(x.Args) > 0 {
			_, isMap := x.Args[0].(*ast.MapType)
			return isMap
		}
	}
	return false
}

func TestAFileCanBeReadInOneSitting(t *testing.T) {
	const most, mostMain = 400, 150
	for _, s := range sources(t) {
		limit := most
		if filepath.Base(s.path) == "main.go" {
			limit = mostMain
		}
		if n := lines(t, s.path); n > limit {
			t.Errorf("%s has %d lines, more than %d", s.path, n, limit)
		}
	}
}
