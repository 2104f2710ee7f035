package milter

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"qmail/internal/text/ascii"
	"qmail/internal/text/report"
)

const (
	// maxHead is how long the header of an answer may be, and maxResult the answer.
	maxHead   = 16 << 10
	maxResult = 1 << 20
)

// marker is the field that filters of mailboxes look for.
const marker = "X-Spam-Flag"

// A result is what rspamd's /checkv2 says.
type result struct {
	Action   string          `json:"action"`
	Subject  string          `json:"subject"`
	Messages json.RawMessage `json:"messages"`
	Milter   struct {
		Add    map[string]json.RawMessage `json:"add_headers"`
		Remove map[string]int             `json:"remove_headers"`
	} `json:"milter"`
}

// check asks rspamd by HTTP.
func check(conn io.ReadWriter, m *Mail) (outcome, error) {
	if err := request(conn, m); err != nil {
		return outcome{}, err
	}
	b, err := answerOf(bufio.NewReader(conn))
	if err != nil {
		return outcome{}, err
	}
	return decide(b, m)
}

// counter counts what a message has.
type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// request sends a message, as it came from the client.
func request(conn io.Writer, m *Mail) error {
	var n counter
	if err := m.writeShown(&n); err != nil {
		return err
	}
	w := bufio.NewWriterSize(conn, 32<<10)
	w.WriteString("POST /checkv2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " +
		strconv.FormatInt(int64(n), 10) + "\r\n")
	say := func(name, value string) {
		if value != "" {
			w.WriteString(name + ": " + printable(value, len(value)) + "\r\n")
		}
	}
	c := m.Client
	if c.IP.IsValid() {
		say("IP", c.IP.String())
	}
	say("Helo", c.Helo)
	say("Hostname", c.Host)
	if c.LoggedIn() {
		say("User", c.User)
	}
	say("MTA-Name", c.By)
	say("Queue-Id", m.ID)
	w.WriteString("From: " + printable("<"+m.Sender+">", len(m.Sender)+2) + "\r\n")
	for _, to := range m.To {
		say("Rcpt", "<"+to+">")
	}
	w.WriteString("\r\n")
	if err := m.writeShown(w); err != nil {
		return err
	}
	return w.Flush()
}

// answerOf reads the answer's body. It has a length, or ends with the connection.
func answerOf(r *bufio.Reader) ([]byte, error) {
	head := bufio.NewReader(io.LimitReader(r, maxHead+maxResult))
	length, room := -1, maxHead
	for first := true; ; first = false {
		line, err := head.ReadSlice('\n')
		if room -= len(line); err != nil || room < 0 {
			return nil, errProtocol
		}
		text := strings.TrimRight(string(line), "\r\n")
		name, value, _ := strings.Cut(text, ":")
		value = strings.Trim(value, blanks)
		switch name = ascii.LowerString(name); {
		case first && !strings.HasPrefix(text, "HTTP/1.1 200") && !strings.HasPrefix(text, "HTTP/1.0 200"):
			return nil, errProtocol
		case first:
		case name == "transfer-encoding" || name == "content-encoding":
			return nil, errProtocol
		case name == "content-length":
			n, err := strconv.ParseUint(value, 10, 31)
			if err != nil || n > maxResult || length >= 0 && length != int(n) {
				return nil, errProtocol
			}
			length = int(n)
		case text == "":
			if length < 0 {
				return io.ReadAll(head)
			}
			b := make([]byte, length)
			_, err := io.ReadFull(head, b)
			return b, err
		}
	}
}

// decide does what an answer says. What it does not name is no verdict.
func decide(b []byte, m *Mail) (o outcome, _ error) {
	var r result
	if err := json.Unmarshal(b, &r); err != nil {
		return o, errProtocol
	}
	var messages struct {
		SMTP string `json:"smtp_message"`
	}
	json.Unmarshal(r.Messages, &messages) // of old ones it is a list
	text := printable(messages.SMTP, 400)
	mark := false
	switch r.Action {
	case "no action", "accept":
	case "reject":
		if text == "" {
			text = "sorry, refused by a content filter"
		}
		o.refusal = report.Fail("5.7.1", text)
	case "soft reject", "greylist":
		if text == "" {
			text = "sorry, a content filter asks you to come again"
		}
		o.refusal = report.Defer("4.7.1", text)
	case "discard":
		o.discard = true
	case "quarantine":
		o.quarantine = "rspamd"
	case "add header":
		mark = true
	case "rewrite subject":
		mark = true
	default:
		return o, errProtocol
	}
	c := m.clone()
	if o.mail = c; !r.edit(c) {
		return outcome{}, errProtocol
	}
	if mark {
		c.change(1, marker, &field{marker + ": YES\n", marker})
	}
	return o, nil
}

// edit changes the header.
func (r *result) edit(m *Mail) bool {
	size := len(r.Subject)
	for _, name := range slices.Sorted(maps.Keys(r.Milter.Remove)) {
		if n := r.Milter.Remove[name]; n > 0 {
			m.change(n, name, nil)
			continue
		}
		for before := -1; before != len(m.fields); {
			before = len(m.fields)
			m.change(1, name, nil)
		}
	}
	if r.Action == "rewrite subject" && r.Subject != "" {
		f, ok := newField("Subject", r.Subject, false)
		if !ok {
			return false
		}
		m.change(1, "Subject", &f)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Milter.Add)) {
		for _, h := range headersOf(r.Milter.Add[name]) {
			f, ok := newField(name, h.Value, false)
			if size += len(f.text); !ok || size > maxHeader {
				return false
			}
			if h.Order >= 0 {
				m.insert(h.Order, f)
			} else {
				m.insert(len(m.fields), f)
			}
		}
	}
	return true
}

type header struct {
	Value string `json:"value"`
	Order int    `json:"order"`
}

// headersOf reads the values of a field to add: a string, an object, or a list of them.
func headersOf(b json.RawMessage) (list []header) {
	var many []json.RawMessage
	if json.Unmarshal(b, &many) != nil {
		many = []json.RawMessage{b}
	}
	for _, one := range many {
		h := header{Order: -1}
		if json.Unmarshal(one, &h.Value) == nil || json.Unmarshal(one, &h) == nil {
			list = append(list, h)
		}
	}
	return list
}
