package remote

import (
	"slices"
	"strings"
	"sync"
)

// A host is a server with faults, and what it has accepted.
type host struct {
	fault func(x exchange) string // the reply to a command, or close, silence, flush; "" is the usual one
	mu    sync.Mutex
	took  []string // the recipients of each message, in a row
	asked int      // RCPT commands
}

// An exchange is one command, and where it stands.
type exchange struct {
	verb, line  string
	recipients  int  // accepted in this transaction
	session     int  // accepted on this connection
	transaction int  // number of this MAIL on this connection, from 1
	ehlo        bool // was said
	ahead       bool // it came in one packet with the one before it, or has one behind it
}

func (h *host) serve(p peer) {
	p.send("220 fake ESMTP\r\n")
	x := exchange{}
	var to []string
	late := false
	for {
		x.line = strings.TrimSuffix(p.line(), "\r\n")
		if x.line == "" {
			return
		}
		if x.verb = x.line[:min(4, len(x.line))]; x.verb == "QUIT" {
			return
		}
		x.ahead = late || p.r.Buffered() > 0
		late = p.r.Buffered() > 0
		if x.verb == "MAIL" {
			x.transaction++
		}
		if x.verb == "RCPT" {
			h.mu.Lock()
			h.asked++
			h.mu.Unlock()
		}
		reply := h.fails(x)
		switch reply {
		case "close":
			return
		case "silence":
			for p.line() != "" {
			}
			return
		case "flush": // the rest of the packet is lost
			p.r.Discard(p.r.Buffered())
			reply = ""
		}
		if reply == "" {
			switch x.verb {
			case "EHLO":
				x.ehlo = true
				reply = "250-fake\n250-PIPELINING\n250-8BITMIME\n250 SIZE 1000000"
			case "DATA":
				reply = "354 go"
				if x.recipients == 0 {
					reply = "503 nobody"
				}
			default:
				reply = "250 ok"
			}
		}
		p.send(strings.ReplaceAll(reply, "\n", "\r\n") + "\r\n")
		switch {
		case strings.HasPrefix(reply, "421"):
			return
		case x.verb == "RSET", x.verb == "MAIL", x.verb == "EHLO", x.verb == "HELO":
			x.recipients, to = 0, nil
		case x.verb == "RCPT" && reply < "4":
			x.recipients++
			x.session++
			to = append(to, x.line[len("RCPT TO:<"):strings.IndexByte(x.line, '@')])
		case x.verb == "DATA" && reply < "4":
			if _, ok := p.data(); !ok {
				return
			}
			x.verb = "."
			end := h.fails(x)
			if end == "" {
				h.mu.Lock()
				h.took = append(h.took, strings.Join(to, ""))
				h.mu.Unlock()
				end = "250 taken"
			}
			if end == "close" || end == "silence" {
				return
			}
			p.send(end + "\r\n")
			x.recipients, to = 0, nil
		}
	}
}

// fails is fault, whose connections may share what it knows: one asks at a time.
func (h *host) fails(x exchange) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fault(x)
}

// messages returns and forgets what was accepted.
func (h *host) messages() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.took
	h.took = nil
	return list
}

// questions returns how many recipients were asked about.
func (h *host) questions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

// letters makes recipients of one letter each.
func letters(s string) []string {
	args := []string{"far.test", "a@b.test"}
	for _, c := range s {
		args = append(args, string(c)+"@far.test")
	}
	return args
}

func sorted(list []string) string {
	b := []byte(strings.Join(list, ""))
	slices.Sort(b)
	return string(b)
}

// all is the report of n recipients who all have the message.
func all(got string, n int) bool {
	return strings.HasPrefix(got, strings.Repeat("r|", n)+"K10.0.0.1 accepted message.\n") &&
		strings.Count(got, "|") == n+1
}

// ways are how a server says what it does not say well.
var ways = []string{"552 5.5.3 too many recipients", "550 no", "503 what?", "452 4.5.3 later", "451 no", "500 what?",
	"554 no",
	"421 bye", "close", "silence"}
