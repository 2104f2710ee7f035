package main

import (
	"bytes"
	"io"
	"os"
	"os/signal"
	"syscall"

	"qmail/internal/auth/password"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/exit"
)

// ask reads a password: twice from a terminal, which does not show it, or the first line of descriptor 0.
func ask(name string) []byte {
	in := proc.FD(0, "password")
	show, terminal := sys.Hide(in)
	if !terminal {
		return read(in)
	}
	defer show()
	// Who gives up gets his terminal back as it was.
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-stop
		show()
		proc.Exit(exit.Temp)
	}()
	os.Stderr.WriteString("Password of " + name + ": ")
	first := read(in)
	os.Stderr.WriteString("Again: ")
	if again := read(in); !bytes.Equal(first, again) {
		show()
		die("the two are not alike")
	}
	return first
}

// read reads a line, and not more.
func read(in io.Reader) []byte {
	var line []byte
	for b := make([]byte, 1); len(line) <= password.Max; {
		n, err := in.Read(b)
		if n == 0 || err != nil || b[0] == '\n' {
			break
		}
		line = append(line, b[0])
	}
	return line
}
