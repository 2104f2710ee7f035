package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"os"
)

// The records of utmp(5), the same on all 64-bit Linux systems of today and on 32-bit ones.
const (
	recordSize = 384
	userType   = 7
	lineAt     = 8
	lineSize   = 32
	userAt     = 44
	userSize   = 32
)

// terminals calls fn for each terminal at which user is logged in.
func terminals(user string, fn func(line string)) {
	f, err := os.Open("/var/run/utmp")
	if err != nil {
		return
	}
	defer f.Close()
	logins(bufio.NewReader(f), user, fn)
}

// logins is terminals for the records that r holds.
func logins(r io.Reader, user string, fn func(line string)) {
	rec := make([]byte, recordSize)
	for {
		if _, err := io.ReadFull(r, rec); err != nil {
			return
		}
		if binary.NativeEndian.Uint16(rec) == userType && text(rec[userAt:userAt+userSize]) == user {
			fn(text(rec[lineAt : lineAt+lineSize]))
		}
	}
}

func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}
