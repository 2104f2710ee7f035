package namecheck

import (
	"net/netip"
	"strconv"
	"strings"

	"qmail/internal/net/dns"
)

const (
	// maxLists is how many lines of a file count: each costs a question for each client or sender.
	maxLists = 32
	// maxWeight bounds the weight of one list, either way.
	maxWeight = 1000
)

// A list is one list in the DNS: who is on it, and what that weighs.
type list struct {
	zone   string
	codes  []code // the answers that count; none: all that mean a listing
	weight int
	text   string // for the client; empty: one of ours
}

// A code is a pattern of answers: the least and the greatest of each byte.
type code [4][2]byte

// parseList reads a line ZONE[:CODES[:WEIGHT[:TEXT]]].
func parseList(line string) (l list, ok bool) {
	words := strings.SplitN(line, ":", 4)
	l.zone, l.weight = strings.Trim(words[0], "."), 1
	if !dns.Askable(l.zone) {
		return l, false
	}
	if len(words) > 1 && words[1] != "" {
		for _, w := range strings.Split(words[1], ",") {
			c, ok := parseCode(w)
			if !ok {
				return l, false
			}
			l.codes = append(l.codes, c)
		}
	}
	if len(words) > 2 && words[2] != "" {
		n, err := strconv.Atoi(words[2])
		if err != nil || n < -maxWeight || n > maxWeight {
			return l, false
		}
		l.weight = n
	}
	if len(words) > 3 {
		l.text = words[3]
	}
	return l, true
}

// parseCode reads four of number, number-number and *, with dots between them.
func parseCode(s string) (c code, ok bool) {
	words := strings.Split(s, ".")
	if len(words) != len(c) {
		return c, false
	}
	for i, w := range words {
		if w == "*" {
			c[i] = [2]byte{0, 255}
			continue
		}
		first, last, both := strings.Cut(w, "-")
		if !both {
			last = first
		}
		a, err := strconv.ParseUint(first, 10, 8)
		b, err2 := strconv.ParseUint(last, 10, 8)
		if err != nil || err2 != nil || a > b {
			return c, false
		}
		c[i] = [2]byte{byte(a), byte(b)}
	}
	return c, true
}

// means reports whether an answer says that what was asked for is listed. 127.255.255.0 and above say that the list
// does not answer us, 127.0.0.1 is what it says of nobody, and an answer outside 127.0.0.0/8 is none of a list:
// somebody on the way makes names up.
func (l *list) means(answer netip.Addr) bool {
	if !answer.Is4() {
		return false
	}
	b := answer.As4()
	if b[0] != 127 || b[1] == 255 && b[2] == 255 {
		return false
	}
	if len(l.codes) == 0 {
		return b != [4]byte{127, 0, 0, 1}
	}
	for _, c := range l.codes {
		in := true
		for i := range b {
			in = in && c[i][0] <= b[i] && b[i] <= c[i][1]
		}
		if in {
			return true
		}
	}
	return false
}

// reply is what a client is told of whom the list has.
func (l *list) reply(who string) string {
	text := strings.ReplaceAll(l.text, "%IP%", who)
	if text == "" {
		text = "sorry, " + who + " is listed by " + l.zone
	}
	return "553 " + line(text) + " (#5.7.1)"
}
