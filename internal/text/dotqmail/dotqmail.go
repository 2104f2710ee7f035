// Package dotqmail reads .qmail files, by dot-qmail(5): the names under which a recipient's file is looked for, and its
// text as a list of instructions. It only parses.
package dotqmail

import (
	"bytes"
	"errors"
	"iter"
	"strings"

	"qmail/internal/text/ascii"
)

// A Kind is what an instruction asks for.
type Kind uint8

const (
	Mbox    Kind = iota // append to the mbox file Text
	Maildir             // deliver to the Maildir Text, which ends in a slash
	Program             // run Text by a shell
	Forward             // send a copy to the address Text
	List                // +list: from here on forwards only
)

// An Instruction is one line of a .qmail file that asks for something.
type Instruction struct {
	Kind Kind
	Text string // never with a newline, a NUL, or blanks at its end
}

// ErrBlank says that the first line is blank, by which the owner of the file has mail wait.
var ErrBlank = errors.New("first line is blank")

// Parse returns the instructions of text in their order. Comments and blank lines are left out, but
// a blank first line is ErrBlank. A line ends at its first NUL.
func Parse(text []byte) ([]Instruction, error) {
	var list []Instruction
	for first := true; first || len(text) > 0; first = false {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		line = trim(line)
		if len(line) == 0 {
			if first {
				return nil, ErrBlank
			}
			continue
		}
		if in, ok := parseLine(string(line)); ok {
			list = append(list, in)
		}
	}
	return list, nil
}

// parseLine reads a line that is not blank; ok is false when it asks for nothing.
func parseLine(line string) (in Instruction, ok bool) {
	switch line[0] {
	case '#':
		return Instruction{}, false
	case '.', '/':
		if line[len(line)-1] == '/' {
			return Instruction{Maildir, line}, true
		}
		return Instruction{Mbox, line}, true
	case '|':
		return Instruction{Program, line[1:]}, true
	case '+':
		return Instruction{List, ""}, line == "+list"
	case '&':
		return Instruction{Forward, line[1:]}, true
	}
	return Instruction{Forward, line}, true
}

func trim(line []byte) []byte {
	if i := bytes.IndexByte(line, 0); i >= 0 {
		line = line[:i]
	}
	for len(line) > 0 && (line[len(line)-1] == ' ' || line[len(line)-1] == '\t') {
		line = line[:len(line)-1]
	}
	return line
}

// Names yields the names of the files that may hold the instructions for an extension, the first to be
// tried first, and with each where in ext the part that $DEFAULT stands for begins; -1 means that
// $DEFAULT is not set.
func Names(dash, ext string) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		safe := safeExt(ext)
		whole := -1
		if strings.HasSuffix(safe, "default") {
			whole = len(safe) - len("default")
		}
		if !yield(".qmail"+dash+safe, whole) {
			return
		}
		for i := len(safe); i >= 0; i-- {
			if i > 0 && safe[i-1] != '-' {
				continue
			}
			if !yield(".qmail"+dash+safe[:i]+"default", i) {
				return
			}
		}
	}
}

// Owner returns the name of the file that makes an address a mailing list with an owner, to whom
// bounces go, and of the file that makes every copy's bounces go to an address of its own.
func Owner(dash, ext string) (owner, each string) {
	owner = ".qmail" + dash + safeExt(ext) + "-owner"
	return owner, owner + "-default"
}

// safeExt folds case and keeps an extension with dots from leading out of the folder.
func safeExt(ext string) string {
	b := []byte(ext)
	ascii.Lower(b)
	for i, c := range b {
		if c == '.' {
			b[i] = ':'
		}
	}
	return string(b)
}
