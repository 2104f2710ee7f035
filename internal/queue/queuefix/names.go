package queuefix

import (
	"fmt"
	"strings"
)

// Names in the folders lock and sendctl.
const (
	sendMutex = "lock/sendmutex"
	trigger   = "lock/trigger"
	lockTCP   = "lock/tcpto"
	socket    = "sendctl/socket"
	reasons   = "sendctl/reasons"
)

// kinds returns the folders that have a file of a message. A message's names are made in this order, so that it is
// nothing to anybody before it is all there: todo before info, since with todo what info says is not believed.
func kinds() []string {
	return []string{"mess", "intd", "bounce", "local", "remote", "todo", "info"}
}

// undo returns the kinds in the order in which a message's old names go.
func undo() []string {
	return []string{"info", "local", "remote", "bounce", "intd", "todo", "mess"}
}

// divided reports whether the folder of a kind has subfolders.
func divided(kind string) bool {
	return kind == "mess" || kind == "info" || kind == "local" || kind == "remote"
}

func parent(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return "."
}

// maxFlat bounds a name of flat, which gets a number in addition where it is taken.
const maxFlat = 200

// flat makes one name of a path.
func flat(name string) string {
	name = strings.ReplaceAll(name, "/", "_")
	return name[:min(len(name), maxFlat)]
}

// Printable returns a text in which bytes that a terminal could take for a command, and the backslash, are octal
// numbers.
func Printable(s string) string {
	var b []byte
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '\\' {
			b = fmt.Appendf(b, "\\%03o", c)
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}
