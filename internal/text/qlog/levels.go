package qlog

import (
	"bytes"
	"io"
)

// Levels puts the level of syslog before the lines of a log that goes to journald, which takes it off again: 1 before
// an alert, 4 before a warning, and none before others, which are as important as its unit says.
type Levels struct{ To io.Writer }

// Write takes whole lines.
func (l Levels) Write(lines []byte) (int, error) {
	if !bytes.Contains(lines, []byte("alert: ")) && !bytes.Contains(lines, []byte("warning: ")) {
		return l.To.Write(lines)
	}
	b := make([]byte, 0, len(lines)+64)
	for line := range bytes.Lines(lines) {
		switch {
		case bytes.HasPrefix(line, []byte("alert: ")):
			b = append(b, "<1>"...)
		case bytes.HasPrefix(line, []byte("warning: ")):
			b = append(b, "<4>"...)
		}
		b = append(b, line...)
	}
	_, err := l.To.Write(b)
	return len(lines), err
}
