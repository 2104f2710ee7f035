package history

import (
	"time"

	"qmail/internal/text/ascii"
)

// A Filter selects messages; its zero value selects all.
type Filter struct {
	ID        uint64    // the message number
	QP        uint64    // the process id of its qmail-queue
	Sender    string    // a pattern; * stands for any bytes
	Recipient string    // a pattern that one of its recipients matches
	Since     time.Time // not over before
	Until     time.Time // not begun after
	Open      bool      // only those still in the queue
	Failed    bool      // only those with a delivery that failed
}

// Match reports whether m is selected.
func (f Filter) Match(m *Message) bool {
	switch {
	case f.ID != 0 && m.Info.ID != f.ID,
		f.QP != 0 && m.Info.QP != f.QP,
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
