package history

import (
	"sort"
	"strings"
	"time"

	"qmail/internal/text/ascii"
	"qmail/internal/text/report"
)

const (
	// maxNames bounds each table of a Totals; what comes after counts as "(others)".
	maxNames = 50000
	others   = "(others)"
	// maxHours bounds the hours of a Totals: 20 years.
	maxHours = 20 * 366 * 24
)

// Totals are the sums over many messages.
type Totals struct {
	Messages   int       `json:"messages"`
	Open       int       `json:"in_queue"`
	Bytes      int64     `json:"bytes"`
	BytesSent  int64     `json:"bytes_delivered"`
	Deliveries int       `json:"deliveries"`
	Successes  int       `json:"successes"`
	Deferrals  int       `json:"deferrals"`
	Failures   int       `json:"failures"`
	Bounces    int       `json:"bounces"`
	Discarded  int       `json:"triple_bounces"`
	Sessions   int       `json:"sessions"`
	Taken      int       `json:"taken_by_servers"`
	Refusal    int       `json:"refused_by_servers"`
	Local      int       `json:"local_deliveries"`
	Remote     int       `json:"remote_deliveries"`
	First      time.Time `json:"first,omitzero"`
	Last       time.Time `json:"last,omitzero"`

	hosts    map[string]*Sum
	senders  map[string]*Sum
	failed   map[string]int
	deferred map[string]int
	refusals map[string]int // by program and reply
	refused  map[string]int // by address
	hours    map[int64]*Hour
	delays   delays
}

// A Sum is what went to one destination, or came from one sender.
type Sum struct {
	Name      string        `json:"name"`
	Messages  int           `json:"messages,omitempty"`
	Bytes     int64         `json:"bytes,omitempty"`
	Tries     int           `json:"tries"`
	Successes int           `json:"successes"`
	Deferrals int           `json:"deferrals"`
	Failures  int           `json:"failures"`
	Took      time.Duration `json:"-"`
	Seconds   float64       `json:"seconds_a_try"`
}

// A Reason is why deliveries were deferred or failed.
type Reason struct {
	Text  string `json:"text"`
	Count int    `json:"count"`
}

// An Hour is what happened in one hour.
type Hour struct {
	Start     time.Time `json:"start"`
	Messages  int       `json:"messages"`
	Bytes     int64     `json:"bytes"`
	Successes int       `json:"successes"`
	Deferrals int       `json:"deferrals"`
	Failures  int       `json:"failures"`
}

// NewTotals returns Totals of nothing.
func NewTotals() *Totals {
	return &Totals{
		hosts: make(map[string]*Sum), senders: make(map[string]*Sum),
		failed: make(map[string]int), deferred: make(map[string]int), hours: make(map[int64]*Hour),
		refusals: make(map[string]int), refused: make(map[string]int),
	}
}

// Add counts a message.
func (t *Totals) Add(m *Message) {
	t.Messages++
	t.Bytes += m.Info.Bytes
	if !m.Over {
		t.Open++
	}
	if m.Bounce != 0 {
		t.Bounces++
	}
	if m.Discarded {
		t.Discarded++
	}
	t.seen(m.Start)
	t.seen(m.End)
	if h := t.hour(m.Start); h != nil {
		h.Messages++
		h.Bytes += m.Info.Bytes
	}
	sender := "(unknown)"
	if m.Known {
		if sender = m.Info.Sender; sender == "" {
			sender = "<>"
		}
	}
	s := named(t.senders, sender)
	s.Messages++
	s.Bytes += m.Info.Bytes
	for i := range m.Deliveries {
		t.delivery(m, &m.Deliveries[i], s)
	}
}

func (t *Totals) delivery(m *Message, d *Delivery, sender *Sum) {
	t.Deliveries++
	if d.Channel == "remote" {
		t.Remote++
	} else {
		t.Local++
	}
	host := ascii.LowerString(d.Recipient[strings.LastIndexByte(d.Recipient, '@')+1:])
	s := named(t.hosts, host)
	s.Tries++
	sender.Tries++
	if d.Result == 0 {
		return
	}
	t.seen(d.End)
	if !d.End.IsZero() && !d.Start.IsZero() {
		s.Took += d.End.Sub(d.Start)
		sender.Took += d.End.Sub(d.Start)
	}
	h := t.hour(d.End)
	if h == nil {
		h = &Hour{}
	}
	switch d.Result {
	case report.Success:
		t.Successes++
		s.Successes++
		sender.Successes++
		h.Successes++
		t.BytesSent += m.Info.Bytes
		if !d.End.IsZero() && !m.Start.IsZero() {
			t.delays.add(d.End.Sub(m.Start))
		}
	case report.Failure:
		t.Failures++
		s.Failures++
		sender.Failures++
		h.Failures++
		count(t.failed, reason(d.Text))
	default:
		t.Deferrals++
		s.Deferrals++
		sender.Deferrals++
		h.Deferrals++
		count(t.deferred, reason(d.Text))
	}
}

func (t *Totals) seen(at time.Time) {
	if at.IsZero() {
		return
	}
	if t.First.IsZero() || at.Before(t.First) {
		t.First = at
	}
	if at.After(t.Last) {
		t.Last = at
	}
}

func (t *Totals) hour(at time.Time) *Hour {
	if at.IsZero() {
		return nil
	}
	n := at.Unix() / 3600
	h := t.hours[n]
	if h == nil {
		if len(t.hours) >= maxHours {
			return nil
		}
		h = &Hour{Start: time.Unix(n*3600, 0).UTC()}
		t.hours[n] = h
	}
	return h
}

func named(table map[string]*Sum, name string) *Sum {
	s := table[name]
	if s == nil {
		if len(table) >= maxNames {
			name = others
			if s = table[name]; s != nil {
				return s
			}
		}
		s = &Sum{Name: name}
		table[name] = s
	}
	return s
}

func count(table map[string]int, text string) { countN(table, text, 1) }

func countN(table map[string]int, text string, n int) {
	if _, ok := table[text]; !ok && len(table) >= maxNames {
		text = others
	}
	table[text] += n
}

// Hosts returns the destinations, those with most tries first.
func (t *Totals) Hosts() []Sum { return sums(t.hosts, func(s *Sum) int { return s.Tries }) }

// Worst returns the destinations with a deferral or a failure, those with most of both first.
func (t *Totals) Worst() []Sum {
	list := sums(t.hosts, func(s *Sum) int { return s.Deferrals + s.Failures })
	for i, s := range list {
		if s.Deferrals+s.Failures == 0 {
			return list[:i]
		}
	}
	return list
}

// Senders returns the senders, those with most messages first.
func (t *Totals) Senders() []Sum { return sums(t.senders, func(s *Sum) int { return s.Messages }) }

// FailureReasons returns why deliveries failed, the most frequent first.
func (t *Totals) FailureReasons() []Reason { return reasons(t.failed) }

// DeferralReasons returns why deliveries were deferred, the most frequent first.
func (t *Totals) DeferralReasons() []Reason { return reasons(t.deferred) }

// Hours returns each hour in which something happened, in order.
func (t *Totals) Hours() []Hour {
	list := make([]Hour, 0, len(t.hours))
	for _, h := range t.hours {
		list = append(list, *h)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Start.Before(list[j].Start) })
	return list
}

func sums(table map[string]*Sum, by func(*Sum) int) []Sum {
	list := make([]Sum, 0, len(table))
	for _, s := range table {
		if s.Tries > 0 {
			s.Seconds = s.Took.Seconds() / float64(s.Tries)
		}
		list = append(list, *s)
	}
	sort.Slice(list, func(i, j int) bool {
		if a, b := by(&list[i]), by(&list[j]); a != b {
			return a > b
		}
		return list[i].Name < list[j].Name
	})
	return list
}

func reasons(table map[string]int) []Reason {
	list := make([]Reason, 0, len(table))
	for text, n := range table {
		list = append(list, Reason{text, n})
	}
	sort.Slice(list, func(i, j int) bool {
		if list[i].Count != list[j].Count {
			return list[i].Count > list[j].Count
		}
		return list[i].Text < list[j].Text
	})
	return list
}
