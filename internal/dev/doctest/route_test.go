package doctest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rows returns the cells of the table below a heading of a document.
func rows(t *testing.T, path, heading string) [][]string {
	t.Helper()
	_, text, _ := strings.Cut(read(t, filepath.Join(top, path)), "\n## "+heading+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	var list [][]string
	for l := range strings.Lines(text) {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, "|") {
			cells := strings.Split(strings.Trim(l, "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			list = append(list, cells)
		}
	}
	if len(list) < 3 {
		t.Fatalf("%s has no table below %q", path, heading)
	}
	return list[2:]
}

// TestTheRouteOfAMessageGoesDownhill holds the twelve steps of HACKING to the source: their functions exist, and each
// program goes from one to the next on the same floor or to a lower one.
func TestTheRouteOfAMessageGoesDownhill(t *testing.T) {
	floors := []string{}
	for _, r := range rows(t, "docs/HACKING.md", "Floors") {
		floors = append(floors, r[0])
	}
	steps := rows(t, "docs/HACKING.md", "The route of a message in twelve steps")
	if len(steps) != 12 {
		t.Errorf("there are %d steps", len(steps))
	}
	for i, r := range steps {
		if len(r) != 4 || r[0] != strconv.Itoa(i+1) {
			t.Fatalf("step %d: %q", i+1, r)
		}
		programs, groups := strings.Split(r[1], "; "), strings.Split(r[3], "; ")
		if len(programs) != len(groups) {
			t.Errorf("step %d: places for %d programs, not %d", i+1, len(groups), len(programs))
		}
		for k, group := range groups {
			if k < len(programs) && !exists("cmd/"+programs[k]) {
				t.Errorf("step %d: there is no cmd/%s", i+1, programs[k])
			}
			floor := len(floors)
			for _, place := range strings.Split(group, ", ") {
				path, function, _ := strings.Cut(strings.Trim(place, "`"), ": ")
				if !slices.Contains(functions(t, path), function) {
					t.Errorf("step %d: %s has no %s", i+1, path, function)
				}
				next := slices.Index(floors, strings.Split(path, "/")[1])
				if strings.HasPrefix(path, "cmd/") {
					next = len(floors)
				}
				if next > floor || next < 0 {
					t.Errorf("step %d: %s is above what comes before it", i+1, path)
				}
				floor = next
			}
		}
	}
}

// functions lists those of a file, methods as Type.Method.
func functions(t *testing.T, path string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(top, path), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return nil
	}
	var list []string
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := fn.Name.Name
		if fn.Recv != nil {
			of := fn.Recv.List[0].Type
			if p, ok := of.(*ast.StarExpr); ok {
				of = p.X
			}
			if id, ok := of.(*ast.Ident); ok {
				name = id.Name + "." + name
			}
		}
		list = append(list, name)
	}
	return list
}
