package main

import (
	"io"
	"strconv"
	"strings"
	"time"
)

// The levels of syslog that are used.
const (
	alert   = 1
	warning = 4
	info    = 6
)

const (
	// longest is how many bytes of a line go into one message: some loggers cut longer ones.
	longest = 799
	// patience is how long a line waits for a logger that has gone away; until it is back, those that follow do not wait.
	patience = 5 * time.Second
)

// A sender hands one message to the logger, and tries to until end.
type sender interface {
	Send(b []byte, end time.Time) error
}

// A logger makes messages of lines. A piece of a line that is too long is marked with a plus sign, but for the first.
type logger struct {
	tag      string
	facility int
	now      func() time.Time
	zone     *time.Location
	to       sender
	lost     int // messages since the logger went away
}

// run logs lines until r ends; a last line without newline is not logged.
func (l *logger) run(r io.ByteReader) {
	piece := make([]byte, 0, longest)
	level, mark := info, " "
	var began time.Time
	for {
		c, err := r.ReadByte()
		if err != nil {
			return
		}
		end := c == '\n'
		if len(piece) > 0 && (end || len(piece) == longest) {
			if mark == " " {
				level = levelOf(string(piece))
			}
			l.send(level, stamp(began)+mark+string(piece))
			piece, mark = piece[:0], "+"
		}
		if end {
			mark = " "
			continue
		}
		if len(piece) == 0 && mark == " " {
			began = l.now()
		}
		if c < ' ' || c > 126 {
			c = '?'
		}
		piece = append(piece, c)
	}
}

func levelOf(line string) int {
	switch {
	case strings.HasPrefix(line, "alert:"):
		return alert
	case strings.HasPrefix(line, "warning:"):
		return warning
	}
	return info
}

// stamp writes a time as seconds and microseconds.
func stamp(t time.Time) string {
	us := strconv.Itoa(t.Nanosecond() / 1000)
	return strconv.FormatInt(t.Unix(), 10) + "." + "000000"[len(us):] + us
}

// send sends one message. It says how many were lost as soon as one gets through again.
func (l *logger) send(level int, text string) {
	end := l.now()
	if l.lost == 0 {
		end = end.Add(patience)
	}
	if l.to.Send(l.message(level, text), end) != nil {
		l.lost++
		return
	}
	if l.lost > 0 {
		n := l.lost
		l.lost = 0
		l.to.Send(l.message(warning,
			stamp(l.now())+" warning: splogger: lost "+strconv.Itoa(n)+" lines, nobody took them"), end)
	}
}

func (l *logger) message(level int, text string) []byte {
	now := l.now().In(l.zone)
	b := append(make([]byte, 0, len(text)+64), '<')
	b = strconv.AppendInt(b, int64(l.facility*8+level), 10)
	b = append(b, '>')
	b = now.AppendFormat(b, "Jan _2 15:04:05 ")
	b = append(b, l.tag...)
	b = append(b, ": "...)
	return append(b, text...)
}
