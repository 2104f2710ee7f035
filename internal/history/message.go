package history

import (
	"sort"
	"strconv"
	"strings"
	"time"

	"qmail/internal/text/peerlog"
	"qmail/internal/text/qlog"
	"qmail/internal/text/report"
)

// maxOpen bounds the messages that are in the queue at a time, as far as the log tells; beyond it the one whose
// lines began first is taken as over.
const maxOpen = 1 << 20

// A Delivery is one try at one recipient.
type Delivery struct {
	Number    uint64
	Channel   string
	Recipient string
	Start     time.Time
	End       time.Time   // zero while it runs
	Result    report.Kind // 0 while it runs
	Text      string
}

// A Message is what the log tells of one message.
type Message struct {
	Info       qlog.Info
	Known      bool // Info is whole
	Start      time.Time
	Over       bool      // the log says so
	End        time.Time // when, if that is known
	Deliveries []Delivery
	Bounce     uint64 // the qp of its bounce
	Discarded  bool   // its bounce was thrown away
	Taken      *Taken // by a server; nil: the log does not say
	number     int    // counts messages in the order of their first lines
}

// A Taken is what a server said of a message that it took.
type Taken struct {
	Time      time.Time
	Program   string
	Address   string // of the client
	User      string // who had logged in
	MessageID string
	QP        uint64
}

// A Reader puts the lines of a log together to messages.
type Reader struct {
	// Done is called with each message that has left the queue, or whose number went to another message, and at the
	// end with each that has not.
	Done func(*Message)
	// Trouble is called with each alert and warning; nil: they are passed over.
	Trouble func(Line)

	// Peer is called with each line of a server; nil: they are passed over.
	Peer func(Line)

	open       map[uint64]*Message
	deliveries map[uint64]place
	seen       int
	known      map[uint64]*Message // by qp
	taken      map[uint64]*Taken   // by qp, of messages that the log has not described yet
	takenOrder []uint64
	done       []*Message // that are over, while a server may not have said that it took them
}

const (
	// late is how long after a message has left the queue its server's line may come, in a log with times.
	late = 5 * time.Second
	// maxDone bounds the messages that wait for that line, and the lines that wait for their messages.
	maxDone = 1000
)

type place struct {
	m *Message
	i int
}

// Close ends the reading.
func (r *Reader) Close() {
	rest := make([]*Message, 0, len(r.open))
	for _, m := range r.open {
		rest = append(rest, m)
	}
	sort.Slice(rest, func(i, j int) bool { return rest[i].number < rest[j].number })
	r.done = append(r.done, rest...)
	r.release(0, time.Time{})
	r.open, r.deliveries = nil, nil
}

// Event takes the next line. Those of several logs come in the order of their times.
func (r *Reader) Event(line Line) {
	if r.open == nil {
		r.open, r.deliveries = make(map[uint64]*Message), make(map[uint64]place)
		r.known, r.taken = make(map[uint64]*Message), make(map[uint64]*Taken)
	}
	r.release(maxDone, line.Time)
	if line.IsPeer {
		r.peer(line)
		return
	}
	e := line.Event
	switch e.Kind {
	case qlog.New:
		if old := r.open[e.Info.ID]; old != nil {
			r.over(old, time.Time{})
		}
		r.message(e.Info.ID, line.Time)
	case qlog.Described:
		m := r.message(e.Info.ID, line.Time)
		m.Info, m.Known = e.Info, true
		r.known[m.Info.QP] = m
		if t := r.taken[m.Info.QP]; t != nil {
			m.Taken = t
			delete(r.taken, m.Info.QP)
		}
	case qlog.Started:
		m := r.message(e.Info.ID, line.Time)
		m.Deliveries = append(m.Deliveries, Delivery{
			Number: e.Delivery, Channel: e.Channel, Recipient: e.Recipient, Start: line.Time,
		})
		r.deliveries[e.Delivery] = place{m, len(m.Deliveries) - 1}
	case qlog.Ended:
		if p, ok := r.deliveries[e.Delivery]; ok {
			d := &p.m.Deliveries[p.i]
			d.End, d.Result, d.Text = line.Time, e.Result, e.Text
			delete(r.deliveries, e.Delivery)
		}
	case qlog.Bounced:
		r.message(e.Info.ID, line.Time).Bounce = e.Bounce
	case qlog.Discarded:
		r.message(e.Info.ID, line.Time).Discarded = true
	case qlog.Finished:
		m := r.message(e.Info.ID, line.Time)
		m.Over = true
		r.over(m, line.Time)
	case qlog.Alerted, qlog.Warned:
		if r.Trouble != nil {
			r.Trouble(line)
		}
	}
}

// message returns the open message with a number; the log may begin in the middle of its life.
func (r *Reader) message(id uint64, at time.Time) *Message {
	if m := r.open[id]; m != nil {
		return m
	}
	if len(r.open) >= maxOpen {
		var first *Message
		for _, m := range r.open {
			if first == nil || m.number < first.number {
				first = m
			}
		}
		r.over(first, time.Time{})
	}
	r.seen++
	m := &Message{Info: qlog.Info{ID: id}, Start: at, number: r.seen}
	r.open[id] = m
	return m
}

func (r *Reader) over(m *Message, at time.Time) {
	m.End = at
	delete(r.open, m.Info.ID)
	for _, d := range m.Deliveries {
		if p, ok := r.deliveries[d.Number]; ok && p.m == m {
			delete(r.deliveries, d.Number)
		}
	}
	r.done = append(r.done, m)
}

// release hands on the messages that are over, but for the latest keep of those that were not over long before now.
func (r *Reader) release(keep int, now time.Time) {
	n := 0
	for _, m := range r.done {
		old := !m.End.IsZero() && !now.IsZero() && now.Sub(m.End) > late
		if len(r.done)-n <= keep && !old {
			break
		}
		if r.known[m.Info.QP] == m {
			delete(r.known, m.Info.QP)
		}
		r.Done(m)
		n++
	}
	r.done = r.done[:copy(r.done, r.done[n:])]
}

// peer notes which message a server took.
func (r *Reader) peer(line Line) {
	if r.Peer != nil {
		r.Peer(line)
	}
	p := line.Peer
	_, after, ok := strings.Cut(p.Text, " qp ")
	qp, err := strconv.ParseUint(after, 10, 64)
	if !ok || err != nil || !taken(p) {
		return
	}
	t := &Taken{
		Time: line.Time, Program: p.Program, Address: p.Address, User: p.Get("user"), MessageID: p.Get("id"), QP: qp,
	}
	if m := r.known[qp]; m != nil && m.Taken == nil {
		m.Taken = t
		return
	}
	if r.takenOrder = append(r.takenOrder, qp); len(r.takenOrder) > maxDone {
		delete(r.taken, r.takenOrder[0])
		r.takenOrder = r.takenOrder[1:]
	}
	r.taken[qp] = t
}

// taken reports whether a server's line says that it took a message.
func taken(p peerlog.Line) bool {
	return strings.HasPrefix(p.Text, "250 ok ") || strings.HasPrefix(p.Text, "Kok ")
}
