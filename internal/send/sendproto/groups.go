package sendproto

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"qmail/internal/text/report"
)

// Groups. The classic orders name each delivery by a number below the spawner's limit, so that a slot is one
// recipient. A spawner of ours also takes groups: recipients of one message, with one sender and at one host, that
// take one slot together, each with a number of its own below MaxGrouped.
//
// All of it travels in classic orders and replies with the one number that no delivery can have, since every limit
// is at most that number: whoever knows nothing of groups refuses them and harms no delivery. qmail-send asks
// once, and uses classic orders until, and unless, it gets the answer.
const (
	// question is the name of the message in the order that asks. It is not one, to a classic spawner either.
	question = "wide?"
	// answer begins the answer's text; how many recipients a group may have follows.
	answer = "wide "
	// hurry is the name of the message in the order that asks for a slot.
	hurry = "hurry?"
	// groupMark begins the name of the message in a group's order.
	groupMark = "+"
	// askedMark begins it where the sender asks for something; that comes before the recipients.
	askedMark = "*"
	// MaxGrouped is how many numbers there are for the deliveries of groups.
	MaxGrouped = 1 << 16
	// MaxGroup is the most recipients of a group.
	MaxGroup = 1000
	// MaxGroupBytes is the most bytes of their addresses, unless it is but one.
	MaxGroupBytes = 16 << 10
)

// groupReply is the kind of a classic reply that carries one of a member of a group.
const groupReply report.Kind = 'w'

// Reserved is the number that no delivery has.
func (w Width) Reserved() int { return 1<<(8*w) - 1 }

// AppendQuestion appends the order that asks whether a spawner takes groups.
func AppendQuestion(b []byte, w Width) []byte {
	return Order{Delnum: w.Reserved(), Mess: question}.Append(b, w)
}

// AppendHurry appends the order that has a spawner that takes groups give up one delivery that has waited long for its
// host, since others wait for a slot. There is no reply but that of the delivery.
func AppendHurry(b []byte, w Width) []byte {
	return Order{Delnum: w.Reserved(), Mess: hurry}.Append(b, w)
}

// IsHurry reports whether an order is that one.
func (o Order) IsHurry(w Width) bool { return o.Delnum == w.Reserved() && o.Mess == hurry }

// IsQuestion reports whether an order is that question.
func (o Order) IsQuestion(w Width) bool { return o.Delnum == w.Reserved() && o.Mess == question }

// Answer returns the reply to the question: groups of up to combine recipients.
func Answer(combine int, w Width) Reply {
	combine = max(1, min(combine, MaxGroup))
	return Reply{Delnum: w.Reserved(), Kind: report.Success, Text: strconv.AppendInt([]byte(answer), int64(combine), 10)}
}

// Answer reads a reply as the answer to the question; ok is false for any other.
func (p Reply) Answer(w Width) (combine int, ok bool) {
	n, ok := strings.CutPrefix(string(p.Text), answer)
	if !ok || p.Delnum != w.Reserved() || p.Kind != report.Success || p.Grouped {
		return 0, false
	}
	combine, err := strconv.Atoi(n)
	return combine, err == nil && combine > 0 && combine <= MaxGroup
}

// A Group is an order for several recipients.
type Group struct {
	Mess, Sender string
	Members      []Member
	Asked        string // what the sender asks for, a record of package dsn; empty: nothing
}

// A Member is one recipient of a group.
type Member struct {
	Delnum    int
	Recipient string
}

// Append appends the group as it goes over the wire: the place of the recipient has, for each, number, length, and
// address. What is asked for comes before them, with its length.
func (g Group) Append(b []byte, w Width) []byte {
	b = w.AppendNumber(b, w.Reserved())
	if g.Asked == "" {
		b = append(b, groupMark...)
	} else {
		b = append(b, askedMark...)
	}
	b = append(append(b, g.Mess...), 0)
	b = append(append(b, g.Sender...), 0)
	if g.Asked != "" {
		b = append(strconv.AppendInt(b, int64(len(g.Asked)), 10), ' ')
		b = append(b, g.Asked...)
	}
	for _, m := range g.Members {
		b = append(strconv.AppendInt(b, int64(m.Delnum), 10), ' ')
		b = append(strconv.AppendInt(b, int64(len(m.Recipient)), 10), ' ')
		b = append(b, m.Recipient...)
	}
	return append(b, 0)
}

// IsGroup reports whether an order is a group's.
func (o Order) IsGroup(w Width) bool {
	return o.Delnum == w.Reserved() && (strings.HasPrefix(o.Mess, groupMark) || strings.HasPrefix(o.Mess, askedMark))
}

// Group reads a group. One that is malformed, or has more than it may, has those members that came before that, and
// is not ok.
func (o Order) Group() (g Group, ok bool) {
	g = Group{Mess: strings.TrimPrefix(o.Mess, groupMark), Sender: o.Sender}
	s := o.Recipient
	if mess, asks := strings.CutPrefix(o.Mess, askedMark); asks {
		size, rest, ok := cutNumber(s)
		g.Mess = mess
		if !ok || size == 0 || size > len(rest) {
			return g, false
		}
		g.Asked, s = rest[:size], rest[size:]
	}
	bytes := 0
	for s != "" {
		n, size := 0, 0
		if n, s, ok = cutNumber(s); !ok || n >= MaxGrouped {
			return g, false
		}
		if size, s, ok = cutNumber(s); !ok || size > len(s) {
			return g, false
		}
		bytes += size
		if len(g.Members) == MaxGroup || len(g.Members) > 0 && bytes > MaxGroupBytes {
			return g, false
		}
		g.Members = append(g.Members, Member{n, s[:size]})
		s = s[size:]
	}
	return g, len(g.Members) > 0
}

// cutNumber cuts a number of up to five digits, in its shortest form, and the space after it.
func cutNumber[S string | []byte](s S) (n int, rest S, ok bool) {
	i := 0
	for ; i < min(len(s), 5) && '0' <= s[i] && s[i] <= '9'; i++ {
		n = 10*n + int(s[i]-'0')
	}
	if i == 0 || i == len(s) || s[i] != ' ' || i > 1 && s[0] == '0' {
		return 0, s, false
	}
	return n, s[i+1:], true
}

// appendGrouped appends the reply of a member of a group: number, address, and kind stand before its text.
func (p Reply) appendGrouped(b []byte, w Width) []byte {
	b = append(w.AppendNumber(b, w.Reserved()), byte(groupReply))
	b = append(strconv.AppendInt(b, int64(p.Delnum), 10), ' ')
	if p.Address.IsValid() {
		b = p.Address.AppendTo(b)
	}
	b = append(b, ' ', byte(p.Kind))
	text, _, _ := bytes.Cut(p.Text, []byte{0})
	return append(append(b, text...), 0)
}

// unwrap makes the reply of a group's member of a classic one that carries it. One that makes no sense stays as it is.
func (p Reply) unwrap(w Width) Reply {
	if p.Delnum != w.Reserved() || p.Kind != groupReply {
		return p
	}
	n, text, ok := cutNumber(p.Text)
	if !ok || n >= MaxGrouped {
		return p
	}
	address, text, ok := bytes.Cut(text, []byte{' '})
	if !ok || len(text) == 0 {
		return p
	}
	q := Reply{Delnum: n, Kind: report.Kind(text[0]), Text: text[1:], Grouped: true}
	if len(address) > 0 {
		var err error
		if q.Address, err = netip.ParseAddr(string(address)); err != nil || q.Address.Zone() != "" {
			return p
		}
	}
	return q
}
