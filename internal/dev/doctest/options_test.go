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
		"qmail-log": "internal/history/query.go", "qmail-qread": "internal/send/listing/listing.go",
		"qmail-stats": "internal/send/metrics/metrics.go",
		"qmail-rm":    tools, "qmail-hold": tools, "qmail-release": tools, "qmail-run": tools,
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

// options returns the letters that a file has package getopt read.
func options(t *testing.T, path string) []byte {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []byte
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || f.Sel.Name != "New" {
			return true
		}
		if id, ok := f.X.(*ast.Ident); !ok || id.Name != "getopt" {
			return true
		}
		letters, ok := call.Args[2].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s: the letters of the options are no constant", path)
		}
		s, err := strconv.Unquote(letters.Value)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, strings.ReplaceAll(s, ":", "")...)
		return true
	})
	return found
}
