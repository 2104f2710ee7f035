package main

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func record(kind uint16, line, user string) string {
	b := make([]byte, recordSize)
	binary.NativeEndian.PutUint16(b, kind)
	copy(b[lineAt:lineAt+lineSize], line)
	copy(b[userAt:userAt+userSize], user)
	return string(b)
}

func TestEachTerminalOfTheUserIsFound(t *testing.T) {
	var got []string
	long := strings.Repeat("u", userSize)
	utmp := record(userType, "pts/1", "joe") + record(8, "pts/2", "joe") + record(userType, "tty1", "joey") +
		record(userType, "pts/3", "joe") + record(userType, "pts/4", long) + record(userType, "cut", "joe")[:100]
	for _, user := range []string{"joe", long} {
		logins(strings.NewReader(utmp), user, func(line string) { got = append(got, line) })
	}
	if s := strings.Join(got, " "); s != "pts/1 pts/3 pts/4" {
		t.Error(s)
	}
}

func TestWhatASenderChoseCannotMoveTheCursor(t *testing.T) {
	if got := safe("a\033[2J\r\n\xff b@c"); bytes.ContainsAny([]byte(got), "\033\r\n\xff") || got != "a_[2J___ b@c" {
		t.Errorf("%q", got)
	}
}
