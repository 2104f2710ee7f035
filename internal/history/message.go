package history

import (
	"sort"
	"time"

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
	number     int    // counts messages in the order of their first lines
}

// A Reader puts the lines of a log together to messages.
type Reader struct {
	// Done is called with each message that has left the queue, or whose number went to another message, and at the
	// end with each that has not.
	Done func(*Message)
	// Trouble is called with each alert and warning; nil: they are passed over.
	Trouble func(Line)

	open       map[uint64]*Message
	deliveries map[uint64]place
	seen       int
}

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
	for _, m := range rest {
		r.Done(m)
	}
	r.open, r.deliveries = nil, nil
}

// Event takes the next line. Those of several logs come in the order of their times.
func (r *Reader) Event(line Line) {
	if r.open == nil {
		r.open, r.deliveries = make(map[uint64]*Message), make(map[uint64]place)
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
	r.Done(m)
}
