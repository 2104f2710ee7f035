package history

import (
	"strconv"
	"strings"
	"time"

	"qmail/internal/text/peerlog"
	"qmail/internal/text/qlog"
)

// stamped takes the time off a line as loggers put it there, and then a host and a tag: what is left is the text. now
// is for stamps without a year or a zone. known tells whether there was a stamp.
func stamped(s string, now time.Time) (line Line, known bool) {
	line.Text = s
	if ours(&line) {
		return line, true
	}
	var rest string
	if line.Time, rest, known = anyStamp(s, now); !known {
		return line, false
	}
	line.Text = strings.TrimLeft(rest, " ")
	if ours(&line) {
		return line, true
	}
	if text, ok := untagged(line.Text); ok {
		line.Text = text
		// splogger's own stamp is more exact than syslog's.
		if t, rest, ok := unixStamp(text); ok {
			line.Time, line.Text = t, rest
		}
		ours(&line)
	}
	return line, true
}

// ours reads the text of a line as one of qmail-send's or of a server's.
func ours(l *Line) bool {
	l.Event = qlog.Parse(l.Text)
	if l.Event.Kind == qlog.Other {
		l.Peer, l.IsPeer = peerlog.Parse(l.Text)
	}
	return l.Event.Kind != qlog.Other || l.IsPeer
}

// untagged takes off "host tag[pid]: " or "host tag: ".
func untagged(s string) (string, bool) {
	host, rest, ok := strings.Cut(s, " ")
	tag, text, colon := strings.Cut(rest, ": ")
	if !ok || !colon || host == "" || tag == "" || strings.IndexByte(tag, ' ') >= 0 {
		return "", false
	}
	return text, true
}

func anyStamp(s string, now time.Time) (t time.Time, rest string, ok bool) {
	switch {
	case s == "":
		return
	case s[0] == '@':
		if label, rest, ok := strings.Cut(s, " "); ok {
			if t, ok := tai64n(label[1:]); ok {
				return t, rest, true
			}
		}
		return
	case s[0] == '<':
		return rfc5424(s)
	case s[0] == '[':
		// Seconds since the machine started, as of "journalctl -o short-monotonic": no time of a day.
		if inside, rest, ok := strings.Cut(s[1:], "] "); ok {
			if _, err := strconv.ParseFloat(strings.TrimLeft(inside, " "), 64); err == nil {
				return time.Time{}, rest, true
			}
		}
		return
	}
	if t, rest, ok = unixStamp(s); ok {
		return
	}
	if t, rest, ok = syslogStamp(s, now); ok {
		return
	}
	// "Fri 2024-11-22 18:26:41 UTC", of "journalctl -o short-full".
	if len(s) > 4 && s[3] == ' ' && s[0] >= 'A' {
		if t, rest, ok := isoStamp(s[4:], now.Location()); ok {
			if zone, after, cut := strings.Cut(strings.TrimPrefix(rest, " "), " "); cut && capitals(zone) {
				day, hour := s[4:14], s[15:4+len(isoForm)]
				if in, err := time.ParseInLocation(fullForm, day+"T"+hour+" "+zone, now.Location()); err == nil {
					return in.Add(time.Duration(t.Nanosecond())).UTC(), after, true
				}
			}
		}
	}
	return isoStamp(s, now.Location())
}

const (
	isoForm  = "2006-01-02T15:04:05"
	fullForm = isoForm + " MST"
)

func capitals(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return s != ""
}

// rfc5424 reads "<22>1 2024-11-22T18:26:41.123456Z host tag pid id data text", and leaves the text.
func rfc5424(s string) (t time.Time, rest string, ok bool) {
	priority, rest, ok := strings.Cut(s[1:], ">1 ")
	if _, err := strconv.ParseUint(priority, 10, 16); !ok || err != nil {
		return t, "", false
	}
	t, rest, ok = isoStamp(rest, time.UTC)
	if !ok {
		return t, "", false
	}
	rest = strings.TrimPrefix(rest, " ")
	for range 4 { // host, tag, pid, id
		if _, rest, ok = strings.Cut(rest, " "); !ok {
			return t, "", false
		}
	}
	rest = afterData(rest)
	rest = strings.TrimPrefix(strings.TrimPrefix(rest, " "), "\xef\xbb\xbf")
	if unix, text, ok := unixStamp(rest); ok {
		return unix, text, true
	}
	return t, rest, true
}

// afterData passes over the structured data: a dash, or brackets with quoted words in them.
func afterData(s string) string {
	if !strings.HasPrefix(s, "[") {
		return strings.TrimPrefix(s, "-")
	}
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && s[i] == ']' && (i+1 == len(s) || s[i+1] != '['):
			return s[i+1:]
		}
	}
	return ""
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
func unixStamp(s string) (time.Time, string, bool) {
	word, rest, ok := strings.Cut(s, " ")
	sec, micro, dot := strings.Cut(word, ".")
	if !ok || !dot || len(sec) < 9 || len(micro) != 6 {
		return time.Time{}, "", false
	}
	a, err1 := strconv.ParseUint(sec, 10, 40)
	b, err2 := strconv.ParseUint(micro, 10, 32)
	if err1 != nil || err2 != nil {
		return time.Time{}, "", false
	}
	return time.Unix(int64(a), int64(b)*1000).UTC(), rest, true
}

// syslogStamp reads "Nov 22 18:26:41", with a fraction or without, in the time of this machine. It has no year: the
// last one in which the time is not to come is taken, with a day for clocks that differ.
func syslogStamp(s string, now time.Time) (time.Time, string, bool) {
	const form = "2006 Jan _2 15:04:05"
	n := len(form) - len("2006 ")
	if len(s) <= n || s[3] != ' ' {
		return time.Time{}, "", false
	}
	for back := range 9 { // 29 February may be eight years back
		t, err := time.ParseInLocation(form, strconv.Itoa(now.Year()+1-back)+" "+s[:n], now.Location())
		if err == nil && t.Before(now.Add(24*time.Hour)) {
			part, rest := fraction(s[n:])
			return t.Add(part).UTC(), strings.TrimPrefix(rest, " "), true
		}
	}
	return time.Time{}, "", false
}

// isoStamp reads 2024-11-22T18:26:41, with a blank or "_" in the place of the T, a fraction or none, and a zone or
// none. Without one it is the time of this machine after a blank, as s6-log writes it, and else UTC, as svlogd does.
func isoStamp(s string, here *time.Location) (t time.Time, rest string, ok bool) {
	n := len(isoForm)
	if len(s) <= n || s[10] != 'T' && s[10] != ' ' && s[10] != '_' {
		return t, "", false
	}
	where := time.UTC
	if s[10] == ' ' {
		where = here
	}
	t, err := time.ParseInLocation(isoForm, s[:10]+"T"+s[11:n], where)
	if err != nil {
		return t, "", false
	}
	part, rest := fraction(s[n:])
	word, after, _ := strings.Cut(rest, " ")
	switch {
	case word == "":
		return t.Add(part).UTC(), after, true
	case word == "Z":
		word = "+0000"
	case len(word) == 6 && word[3] == ':':
		word = word[:3] + word[4:]
	}
	at, err := time.Parse(isoForm+"-0700", s[:10]+"T"+s[11:n]+word)
	if err != nil {
		return t, "", false
	}
	return at.Add(part).UTC(), after, true
}

// fraction reads ".123456" or ",123456".
func fraction(s string) (time.Duration, string) {
	if len(s) < 2 || s[0] != '.' && s[0] != ',' {
		return 0, s
	}
	var d time.Duration
	i, unit := 1, time.Second
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		unit /= 10
		d += time.Duration(s[i]-'0') * unit
	}
	return d, s[i:]
}
