package doctest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"qmail/internal/site/hier"
)

// elsewhere says which programs read their options outside cmd/NAME.
func elsewhere() map[string]string {
	const tools = "internal/send/queuetool/queuetool.go"
	return map[string]string{
		"qmail-inject": "internal/submit/inject/options.go", "qmail-local": "internal/local/args.go",
		"qmail-rm": tools, "qmail-hold": tools, "qmail-release": tools, "qmail-run": tools,
	}
}

// unlisted are letters that a file reads and that are no option of the program, or none of a user's.
func unlisted() map[string]string {
	return map[string]string{
		"qmail-hold": "bi", "qmail-release": "bi", "qmail-run": "bi", // -b is qmail-rm's; -i goes without saying
		"qmail-rm": "i",
	}
}

func TestEveryOptionIsInTheManualPageAndNoOther(t *testing.T) {
	all := pages(t)
	for _, p := range slices.Concat(hier.Binaries(), hier.Tools()) {
		files, _ := filepath.Glob(filepath.Join(top, "cmd", p, "*.go"))
		if f, ok := elsewhere()[p]; ok && exists(f) {
			files = append(files, filepath.Join(top, f))
		}
		read := map[byte]bool{}
		for _, f := range files {
			if !strings.HasSuffix(f, "_test.go") {
				for _, c := range options(t, f) {
					read[c] = true
				}
			}
		}
		text, _ := pageOf(all, p)
		told := flags(text)
		for c := range read {
			if !told[c] && !strings.ContainsRune(unlisted()[p], rune(c)) {
				t.Errorf("%s has an option -%c, its page does not", p, c)
			}
		}
		for c := range told {
			if !read[c] {
				t.Errorf("the page of %s has an option -%c, the program does not", p, c)
			}
		}
	}
}

// flags returns the letters of the options in a page.
func flags(text string) map[byte]bool {
	found := map[byte]bool{}
	macro := regexp.MustCompile(`\bFl (.*)`)
	end := regexp.MustCompile(` (Ar|Op|No|Fl|Ns) `)
	for _, l := range strings.Split(text, "\n") {
		for strings.HasPrefix(l, ".") {
			m := macro.FindStringSubmatch(l)
			if m == nil {
				break
			}
			l = "." + m[1]
			if at := end.FindStringIndex(m[1] + " "); at != nil {
				m[1], l = m[1][:at[0]], "."+m[1][at[0]:]
			} else {
				l = ""
			}
			// ".Fl nN", ".Fl a , b": words of letters and commas, and no word without a comma before it.
			comma := true
			for _, word := range strings.Fields(m[1]) {
				word = strings.TrimPrefix(word, `\&`)
				if !comma && word != "," {
					break
				}
				comma = word == ","
				if strings.HasPrefix(word, "b") && len(word) == 2 { // sendmail's -bp is -b with a value
					word = "b"
				}
				for i := range word {
					if letter(word[i]) {
						found[word[i]] = true
					}
				}
			}
		}
	}
	return found
}

func letter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '/'
}

// options finds the letters of options that a file reads: flags of a FlagSet, the letters of a getopt, and
// comparisons of a character or a word that begins with a hyphen.
func options(t *testing.T, path string) []byte {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []byte
	word := func(x ast.Expr, whole bool) {
		lit, ok := x.(*ast.BasicLit)
		if !ok {
			return
		}
		s, err := strconv.Unquote(lit.Value)
		if err != nil {
			return
		}
		if lit.Kind == token.CHAR && whole && letter(s[0]) {
			found = append(found, s[0])
		} else if len(s) == 2 && s[0] == '-' && letter(s[1]) {
			found = append(found, s[1])
		}
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || !readsOptions(f) {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CaseClause:
				for _, x := range n.List {
					word(x, true)
					if b, ok := x.(*ast.BinaryExpr); ok {
						ast.Inspect(b, func(n ast.Node) bool {
							if c, ok := n.(*ast.BinaryExpr); ok && c.Op == token.EQL {
								word(c.Y, false)
							}
							return true
						})
					}
				}
			case *ast.CallExpr:
				found = append(found, declared(n)...)
			}
			return true
		})
	}
	return found
}

// readsOptions reports whether a function is about arguments.
func readsOptions(f *ast.FuncDecl) bool {
	about := strings.Contains("main run parse options list parseArgs args readArgs set", f.Name.Name)
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := s.X.(*ast.Ident); ok && id.Name == "os" && s.Sel.Name == "Args" {
				about = true
			}
		}
		if id, ok := n.(*ast.Ident); ok && id.Name == "NewGetopt" {
			about = true
		}
		return true
	})
	return about
}

// declared returns the letters that a call declares: flags.Bool("j", ...), NewGetopt(program, args, "ab:").
func declared(call *ast.CallExpr) []byte {
	name := ""
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		name = f.Sel.Name
	case *ast.Ident:
		name = f.Name
	}
	var found []byte
	for i, a := range call.Args {
		lit, ok := a.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			continue
		}
		s, err := strconv.Unquote(lit.Value)
		switch {
		case err != nil:
		case name == "NewGetopt" && i == 2:
			found = append(found, strings.ReplaceAll(s, ":", "")...)
		case strings.Contains("Bool Int String Var BoolVar IntVar StringVar Uint64Var Func", name) && i < 2 && len(s) == 1:
			found = append(found, s[0])
		}
	}
	return found
}
