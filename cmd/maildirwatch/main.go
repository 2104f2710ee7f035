// Maildirwatch shows what waits in a Maildir, anew every half minute; see maildirwatch(1).
//
//	uid   the user's     exec  nothing     fd 1  a terminal of the VT100 kind
//	env   MAILDIR
//	exit  111 when the Maildir cannot be read; it never ends by itself
package main

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"qmail/internal/local/maildir"
	"qmail/internal/sys"
	"qmail/internal/sys/proc"
	"qmail/internal/text/ascii"
	"qmail/internal/text/exit"
)

const (
	fatal = "maildirwatch: fatal: "
	pause = 30 * time.Second
	clear = "\033[;H\033[;J"
)

func main() {
	proc.Begin()
	proc.Help("maildirwatch: usage: maildirwatch")
	dir := proc.Variable(os.LookupEnv, "MAILDIR", fatal, exit.Temp)
	if err := os.Chdir(dir); err != nil {
		proc.Die(exit.Temp, fatal+"unable to chdir to "+dir+": "+sys.Reason(err))
	}
	for {
		now := time.Now()
		maildir.CleanTmp(".", now)
		list, err := maildir.Scan(".")
		if err != nil {
			proc.Die(exit.Temp, fatal+"unable to scan "+dir+": "+sys.Reason(err))
		}
		if show(os.Stdout, list, now) != nil {
			proc.Exit(exit.Temp) // nobody watches
		}
		time.Sleep(pause)
	}
}

// show writes the new messages, two lines each.
func show(out io.Writer, list []maildir.Entry, now time.Time) error {
	w := bufio.NewWriter(out)
	w.WriteString(clear)
	for _, e := range list {
		if !strings.HasPrefix(e.Path, "new/") {
			continue
		}
		if f, err := os.Open(e.Path); err == nil {
			m := summarize(f)
			f.Close()
			w.WriteString("FROM " + m.sender + " TO " + m.recipient + " (" + age(now.Sub(e.Time)) + ")\n   " + m.subject + "\n")
		}
	}
	return w.Flush()
}

func age(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return strconv.Itoa(int(d/time.Second)) + " seconds"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + " minutes"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + " hours"
	}
	return strconv.Itoa(int(d/(24*time.Hour))) + " days"
}

// A summary is what is shown of a message.
type summary struct{ sender, recipient, subject string }

// summarize reads a header. What is longer than a line of a screen needs is cut.
func summarize(r io.Reader) summary {
	m := summary{"?", "?", ""}
	in := bufio.NewReaderSize(r, 4096)
	for {
		line, err := in.ReadSlice('\n')
		s := printable(line)
		switch {
		case ascii.HasPrefix(s, "return-path: <"):
			m.sender = strings.TrimSuffix(s[len("return-path: <"):], ">")
		case ascii.HasPrefix(s, "delivered-to: ") && m.recipient == "?":
			m.recipient = s[len("delivered-to: "):]
		case ascii.HasPrefix(s, "subject:"):
			m.subject = strings.TrimLeft(s[len("subject:"):], " ")
		}
		for err == bufio.ErrBufferFull {
			_, err = in.ReadSlice('\n')
		}
		if err != nil || s == "" {
			return m
		}
	}
}

// printable returns the line, at most 200 bytes of it, with nothing that a terminal would obey.
func printable(line []byte) string {
	n := len(line)
	if n > 0 && line[n-1] == '\n' {
		n--
	}
	b := append([]byte(nil), line[:min(n, 200)]...)
	for i, c := range b {
		if c < ' ' || c > 126 {
			b[i] = '?'
		}
	}
	return string(b)
}
