package history

import (
	"strconv"
	"strings"
	"time"

	"qmail/internal/text/ascii"
	"qmail/internal/text/qlog"
)

// A Filter selects messages; its zero value selects all.
type Filter struct {
	ID        uint64    // the message number
	QP        uint64    // its qp
	Name      string    // its number, qp or Message-ID
	Sender    string    // a pattern; * stands for any bytes
	Recipient string    // a pattern that one of its recipients matches
	Since     time.Time // not over before
	Until     time.Time // not begun after
	Open      bool      // only those still in the queue
	Failed    bool      // only those with a delivery that failed
}

// named reports whether a name is one of the message's.
func (m *Message) named(name string) bool {
	if n, err := strconv.ParseUint(name, 10, 64); err == nil {
		return m.Info.ID == n || m.Known && m.Info.QP == n
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "<"), ">")
	return m.Taken != nil && name != "" && m.Taken.MessageID == string(qlog.SafeString(nil, name))
}

// Match reports whether m is selected.
func (f Filter) Match(m *Message) bool {
	switch {
	case f.ID != 0 && m.Info.ID != f.ID,
		f.QP != 0 && m.Info.QP != f.QP,
		f.Name != "" && !m.named(f.Name),
		f.Sender != "" && !(m.Known && ascii.Match(f.Sender, m.Info.Sender)),
		!f.Since.IsZero() && !m.End.IsZero() && m.End.Before(f.Since),
		!f.Until.IsZero() && m.Start.After(f.Until),
		f.Open && m.Over:
		return false
	}
	if f.Recipient == "" && !f.Failed {
		return true
	}
	for i := range m.Deliveries {
		d := &m.Deliveries[i]
		if (f.Recipient == "" || ascii.Match(f.Recipient, d.Recipient)) && (!f.Failed || d.Result == 'D') {
			return true
		}
	}
	return false
}
