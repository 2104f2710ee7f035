// Package history tells what happened to messages, from the lines that qmail-send has logged.
package history

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"qmail/internal/text/peerlog"
	"qmail/internal/text/qlog"
)

// maxLine is the most bytes of a log line; what is over is dropped.
const maxLine = 64 << 10

// A Line is one line of a log, with the time at which it was logged. The zero time is unknown.
type Line struct {
	Time   time.Time
	Text   string
	Event  qlog.Event   // what qmail-send's line says
	Peer   peerlog.Line // what a server's line says
	IsPeer bool
	at     time.Time // where it belongs among the lines of other logs
}

// Lines reads a log in any of the forms in which loggers keep one, each line by itself: syslog's and journalctl's, with
// splogger's stamp or without, RFC 5424, multilog's TAI64N, svlogd's and s6-log's, JSON and the export format
// of journald, or bare; and any of them compressed by gzip.
type Lines struct {
	r     *bufio.Reader
	now   time.Time // for stamps without a year or a zone
	stamp time.Time // of the journal entry that is being read
	at    int       // lines read
	bad   *Unread
}

// Unread is the first line of a log that could not be read, and how many there were.
type Unread struct {
	Line  int
	Text  string
	Count int
}

func (u *Unread) Error() string {
	text := string(qlog.SafeString(nil, u.Text[:min(len(u.Text), 80)]))
	more := ""
	if u.Count > 1 {
		more = ", nor are " + strconv.Itoa(u.Count-1) + " more"
	}
	return "line " + strconv.Itoa(u.Line) + " is not in a form that is known" + more + ": " + text
}

// NewLines returns a reader of the lines of r; now is for time stamps without a year, its location for
// those without a zone.
func NewLines(r io.Reader, now time.Time) (*Lines, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := b.Peek(2); string(magic) == "\x1f\x8b" {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		b = bufio.NewReaderSize(z, 64<<10)
	}
	return &Lines{r: b, now: now}, nil
}

// Unread returns what could not be read until now, or nil.
func (l *Lines) Unread() error {
	if l.bad == nil {
		return nil
	}
	return l.bad
}

// Next returns the next line, or io.EOF.
func (l *Lines) Next() (Line, error) {
	for {
		raw, err := l.read()
		if err != nil {
			return Line{}, err
		}
		switch {
		case strings.HasPrefix(raw, "__REALTIME_TIMESTAMP="):
			n, err := strconv.ParseInt(raw[len("__REALTIME_TIMESTAMP="):], 10, 64)
			if err == nil {
				l.stamp = time.UnixMicro(n).UTC()
			}
		case raw == "MESSAGE":
			text, err := l.binary()
			if err != nil {
				return Line{}, err
			}
			return l.journal(text), nil
		case strings.HasPrefix(raw, "MESSAGE="):
			return l.journal(raw[len("MESSAGE="):]), nil
		case raw == "":
			l.stamp = time.Time{}
		case !l.stamp.IsZero(), strings.HasPrefix(raw, "__"), strings.HasPrefix(raw, "-- "):
			// Another field of a journal entry; the address fields, which begin so, come before its time. Or what
			// journalctl says about boots.
		case raw[0] == '{':
			if at, text, ok := entryJSON(raw); ok {
				l.stamp = at
				line := l.journal(text)
				l.stamp = time.Time{}
				return line, nil
			}
			l.unread(raw)
		default:
			if line, ok := stamped(raw, l.now); ok {
				return line, nil
			}
			l.unread(raw)
		}
	}
}

func (l *Lines) unread(raw string) {
	if l.bad == nil {
		l.bad = &Unread{Line: l.at, Text: raw}
	}
	l.bad.Count++
}

// entryJSON reads an entry of "journalctl -o json". A message that is no text is a list of its bytes.
func entryJSON(raw string) (at time.Time, text string, ok bool) {
	var e struct {
		At      string          `json:"__REALTIME_TIMESTAMP"`
		Message json.RawMessage `json:"MESSAGE"`
	}
	if json.Unmarshal([]byte(raw), &e) != nil {
		return at, "", false
	}
	n, err := strconv.ParseInt(e.At, 10, 64)
	if err != nil {
		return at, "", false
	}
	if json.Unmarshal(e.Message, &text) != nil {
		var numbers []int
		if json.Unmarshal(e.Message, &numbers) != nil {
			return at, "", false
		}
		b := make([]byte, len(numbers))
		for i, c := range numbers {
			b[i] = byte(c)
		}
		text = string(b)
	}
	return time.UnixMicro(n).UTC(), text, true
}

// journal returns a message of journald; splogger's stamp, if there is one, is more exact.
func (l *Lines) journal(text string) Line {
	line := Line{Time: l.stamp, Text: text}
	if t, rest, ok := unixStamp(text); ok {
		line.Time, line.Text = t, rest
	}
	ours(&line)
	return line
}

// binary reads a field of the export format that is not plain text: its length in 8 bytes, its bytes, a newline.
func (l *Lines) binary() (string, error) {
	var n [8]byte
	if _, err := io.ReadFull(l.r, n[:]); err != nil {
		return "", io.EOF
	}
	size := binary.LittleEndian.Uint64(n[:])
	kept := make([]byte, min(size, maxLine))
	if _, err := io.ReadFull(l.r, kept); err != nil {
		return "", io.EOF
	}
	for left := size - uint64(len(kept)) + 1; left > 0; {
		k, err := l.r.Discard(int(min(left, maxLine)))
		left -= uint64(k)
		if err != nil {
			return "", io.EOF
		}
	}
	return string(kept), nil
}

// read returns one line of the file without its newline, cut to maxLine.
func (l *Lines) read() (string, error) {
	var b []byte
	for {
		part, err := l.r.ReadSlice('\n')
		b = append(b, part[:min(len(part), maxLine-len(b))]...)
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil && (err != io.EOF || len(b) == 0) {
			return "", err
		}
		l.at++
		return strings.TrimSuffix(string(b), "\n"), nil
	}
}
