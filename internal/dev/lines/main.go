// Lines counts the code of the tree that is no test, folder by folder, as a table in Markdown; with a commit as its
// argument that one's code beside it.
//
// A line counts that has something other than a comment. Bytes are those of the tokens, which no wrapping changes.
package main

import (
	"archive/tar"
	"fmt"
	"go/scanner"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A count is how much code there is.
type count struct{ files, lines, bytes int }

// A census is the count of each folder.
type census map[string]*count

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "lines:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	now, err := here()
	if err != nil {
		return err
	}
	if len(args) == 0 {
		table(now, nil, "")
		return nil
	}
	before, err := at(args[0])
	if err != nil {
		return err
	}
	table(now, before, args[0])
	return nil
}

// folders are the rows of the table, in its order.
func folders() []string {
	return strings.Fields("conf text sys site queue worker submit net tls mailauth auth local smtp qmtp pop3 " +
		"send spawn history doctor cmd dev")
}

// folderOf returns the row of a file. Where internal was flat, a package counts in the folder in which its name is now.
func folderOf(path string) string {
	parts := strings.Split(path, "/")
	if parts[0] != "internal" {
		return parts[0]
	}
	name := parts[1]
	if name == "peer" {
		name = "client"
	}
	for _, f := range folders() {
		if f == name {
			return f
		}
	}
	if found, _ := filepath.Glob("internal/*/" + name); len(found) > 0 {
		return strings.Split(found[0], "/")[1]
	}
	return name
}

func isCode(path string) bool {
	top, _, below := strings.Cut(path, "/")
	return below && (top == "cmd" || top == "internal" || top == "conf") &&
		strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go")
}

// add counts a file.
func (c census) add(path string, text []byte) {
	f := folderOf(path)
	if c[f] == nil {
		c[f] = &count{}
	}
	c[f].files++
	var s scanner.Scanner
	set := token.NewFileSet()
	file := set.AddFile(path, set.Base(), len(text))
	s.Init(file, text, nil, 0)
	last := 0
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			return
		}
		if tok == token.SEMICOLON && literal == "\n" {
			continue
		}
		if literal == "" {
			literal = tok.String()
		}
		first := max(last+1, file.Line(pos))
		last = max(last, file.Line(pos)+strings.Count(literal, "\n"))
		c[f].lines += last - first + 1
		c[f].bytes += len(literal)
	}
}

// here counts the tree in which the command runs.
func here() (census, error) {
	c := census{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !isCode(path) {
			return err
		}
		text, err := os.ReadFile(path)
		c.add(path, text)
		return err
	})
	return c, err
}

// at counts the tree of a commit.
func at(commit string) (census, error) {
	cmd := exec.Command("git", "archive", commit, "cmd", "internal", "conf")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := census{}
	r := tar.NewReader(out)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return c, cmd.Wait()
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg || !isCode(h.Name) {
			continue
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		c.add(h.Name, text)
	}
}

// table prints a row for each folder, and the sum of all but dev, which is rigs of tests.
func table(now, before census, commit string) {
	if before == nil {
		fmt.Println("| folder | files | lines | kB |\n| --- | --- | --- | --- |")
	} else {
		fmt.Println("| folder | files | lines | kB | lines in " + commit + " | kB |\n| --- | --- | --- | --- | --- | --- |")
	}
	var sum, sumBefore count
	for _, f := range folders() {
		row(f, now[f], before[f], before != nil)
		if f != "dev" {
			sum.plus(now[f])
			sumBefore.plus(before[f])
		}
	}
	row("all but dev", &sum, &sumBefore, before != nil)
}

func (c *count) plus(d *count) {
	if d != nil {
		c.files, c.lines, c.bytes = c.files+d.files, c.lines+d.lines, c.bytes+d.bytes
	}
}

func row(name string, now, before *count, two bool) {
	for _, c := range []**count{&now, &before} {
		if *c == nil {
			*c = &count{}
		}
	}
	fmt.Printf("| %s | %d | %d | %.1f |", name, now.files, now.lines, float64(now.bytes)/1000)
	if two {
		fmt.Printf(" %d | %.1f |", before.lines, float64(before.bytes)/1000)
	}
	fmt.Println()
}
