// Package history tells what happened to messages, from the lines that qmail-send has logged.
package history

import (
	"bufio"
	"encoding/binary"
	"io"
	"strconv"
	"strings"
	"time"
)

// maxLine is the most bytes of a log line; what is over is dropped.
const maxLine = 16 << 10

// A Line is one line of qmail-send's, with the time at which it was logged. The zero time is unknown.
type Line struct {
	Time time.Time
	Text string
}

// Lines reads a log in any of the forms in which loggers keep one, each line by itself: syslog with
// splogger's stamp, multilog's TAI64N, the export format of journald, or bare.
type Lines struct {
	r     *bufio.Reader
	stamp time.Time // of the journal entry that is being read
}

// NewLines returns a reader of the lines of r.
func NewLines(r io.Reader) *Lines { return &Lines{r: bufio.NewReaderSize(r, 64<<10)} }

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
		case !l.stamp.IsZero(), strings.HasPrefix(raw, "__"):
			// Another field of a journal entry; the address fields, which begin so, come before its time.
		default:
			return parseStamp(raw), nil
		}
	}
}

// journal returns a message of journald; splogger's stamp, if there is one, is more exact.
func (l *Lines) journal(text string) Line {
	line := parseStamp(text)
	if line.Time.IsZero() {
		line.Time = l.stamp
	}
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
		return strings.TrimSuffix(string(b), "\n"), nil
	}
}

// parseStamp takes the time stamp off a line.
func parseStamp(s string) Line {
	if strings.HasPrefix(s, "@") {
		if stamp, rest, ok := strings.Cut(s, " "); ok {
			if t, ok := tai64n(stamp[1:]); ok {
				return Line{t, rest}
			}
		}
	}
	// syslog: "Nov 22 20:46:03 host qmail: 1234567890.123456 text". The tag may have a process id.
	for i := 0; ; {
		k := strings.IndexByte(s[i:], ' ')
		if k < 0 {
			return Line{Text: s}
		}
		if t, ok := unixStamp(s[i : i+k]); ok {
			return Line{t, s[i+k+1:]}
		}
		if i += k + 1; i > 200 {
			return Line{Text: s}
		}
	}
}

// tai64n reads the 24 hexadecimal digits of a TAI64N label. The 10 seconds by which TAI was ahead of UTC at the
// epoch of Unix are what multilog adds, whatever leap seconds there were.
func tai64n(s string) (time.Time, bool) {
	if len(s) != 24 {
		return time.Time{}, false
	}
	sec, err1 := strconv.ParseUint(s[:16], 16, 64)
	nano, err2 := strconv.ParseUint(s[16:], 16, 32)
	const epoch = 1<<62 + 10
	if err1 != nil || err2 != nil || sec < epoch || nano > 999999999 {
		return time.Time{}, false
	}
	return time.Unix(int64(sec-epoch), int64(nano)).UTC(), true
}

// unixStamp reads splogger's stamp: seconds, a dot, six digits.
func unixStamp(s string) (time.Time, bool) {
	sec, micro, ok := strings.Cut(s, ".")
	if !ok || len(sec) < 9 || len(micro) != 6 {
		return time.Time{}, false
	}
	a, err1 := strconv.ParseUint(sec, 10, 40)
	b, err2 := strconv.ParseUint(micro, 10, 32)
	if err1 != nil || err2 != nil {
		return time.Time{}, false
	}
	return time.Unix(int64(a), int64(b)*1000).UTC(), true
}
