package history

import (
	"strconv"
	"strings"
)

// AddPeer counts a line of a server: a session, a message that was taken, or something that was refused.
func (t *Totals) AddPeer(l Line) {
	p := l.Peer
	t.seen(l.Time)
	n := 1
	switch {
	case strings.HasPrefix(p.Text, "session of "):
		t.Sessions++
		return
	case taken(p):
		t.Taken++
		return
	case strings.HasPrefix(p.Text, "refused "): // of tcp-env: refused 12 connections: ...
		word, _, _ := strings.Cut(strings.TrimPrefix(p.Text, "refused "), " ")
		n, _ = strconv.Atoi(word)
		n = max(0, min(n, 1<<24))
	case !refusal(p.Text):
		return
	}
	t.Refusal += n
	countN(t.refusals, p.Program+": "+reason(p.Text), n)
	countN(t.refused, p.Address, n)
}

// refusal reports whether a text is a reply that says no: of SMTP, of QMTP and QMQP, of POP3, or of qmail-authd.
func refusal(text string) bool {
	switch {
	case len(text) > 4 && (text[0] == '4' || text[0] == '5') && text[3] == ' ',
		strings.HasPrefix(text, "D"), strings.HasPrefix(text, "Z"), strings.HasPrefix(text, "-ERR "),
		strings.HasPrefix(text, "failed "), strings.HasPrefix(text, "TLS failed"), strings.HasPrefix(text, "unable "):
		return true
	}
	return false
}

// Refusals returns what servers refused, the most frequent first.
func (t *Totals) Refusals() []Reason { return reasons(t.refusals) }

// Refused returns the addresses that servers refused something, those with most of it first.
func (t *Totals) Refused() []Reason { return reasons(t.refused) }
