package history

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"qmail/internal/text/report"
)

// timeForm is how times are written in texts and tables.
const timeForm = "2006-01-02 15:04:05"

// result returns the manual's word for how a delivery ended.
func result(k report.Kind) string {
	switch k {
	case report.Success:
		return "success"
	case report.Deferral:
		return "deferral"
	case report.Failure:
		return "failure"
	}
	return "running"
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(timeForm)
}

// WriteMessage writes what happened to one message, as text.
func WriteMessage(w io.Writer, m *Message) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s message %d", stamp(m.Start), m.Info.ID)
	if m.Known {
		fmt.Fprintf(b, " from <%s>, %d bytes, qp %d, uid %d", m.Info.Sender, m.Info.Bytes, m.Info.QP, m.Info.UID)
	}
	fmt.Fprintln(b)
	if t := m.Taken; t != nil {
		fmt.Fprintf(b, "%s   taken by %s from %s", stamp(t.Time), t.Program, t.Address)
		if t.User != "" {
			fmt.Fprintf(b, ", user %s", t.User)
		}
		if t.MessageID != "" {
			fmt.Fprintf(b, ", Message-ID <%s>", t.MessageID)
		}
		fmt.Fprintln(b)
	}
	for _, d := range m.Deliveries {
		fmt.Fprintf(b, "%s   delivery %d to %s %s: %s", stamp(d.Start), d.Number, d.Channel, d.Recipient, result(d.Result))
		if !d.End.IsZero() && !d.Start.IsZero() {
			fmt.Fprintf(b, " after %s", short(d.End.Sub(d.Start)))
		}
		if d.Text != "" {
			fmt.Fprintf(b, ": %s", d.Text)
		}
		fmt.Fprintln(b)
	}
	if m.Bounce != 0 {
		fmt.Fprintf(b, "%s   bounced, qp %d\n", stamp(m.End), m.Bounce)
	}
	if m.Discarded {
		fmt.Fprintf(b, "%s   triple bounce, thrown away\n", stamp(m.End))
	}
	if !m.Over {
		fmt.Fprintln(b, "                      not over by this log")
	} else {
		fmt.Fprintf(b, "%s   out of the queue\n", stamp(m.End))
	}
	return b.Flush()
}

// short writes a duration with about three digits.
func short(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

// seconds writes a number of seconds as short does.
func seconds(s float64) string { return short(time.Duration(s * float64(time.Second))) }

// WriteText writes the totals as text, at most top lines of each table.
func (t *Totals) WriteText(w io.Writer, top int) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "From %s to %s (UTC)\n\n", stamp(t.First), stamp(t.Last))
	for _, r := range t.rows() {
		fmt.Fprintf(b, "%-28s %12s\n", r.name, r.value)
	}
	writeSums(b, "Busiest destinations", t.Hosts(), top)
	writeSums(b, "Worst destinations (deferrals and failures)", t.Worst(), top)
	writeSums(b, "Busiest senders", t.Senders(), top)
	writeReasons(b, "Why deliveries failed", t.FailureReasons(), top)
	writeReasons(b, "Why deliveries were deferred", t.DeferralReasons(), top)
	writeReasons(b, "What servers refused", t.Refusals(), top)
	writeReasons(b, "Whom servers refused something", t.Refused(), top)
	return b.Flush()
}

type row struct{ name, value string }

// rows are the plain totals, for text and HTML.
func (t *Totals) rows() []row {
	n := func(i int) string { return fmt.Sprint(i) }
	d := t.Delays()
	return []row{
		{"Messages", n(t.Messages)},
		{"  not over by this log", n(t.Open)},
		{"Bytes taken", fmt.Sprint(t.Bytes)},
		{"Bytes delivered", fmt.Sprint(t.BytesSent)},
		{"Deliveries", n(t.Deliveries)},
		{"  local", n(t.Local)},
		{"  remote", n(t.Remote)},
		{"  successes", n(t.Successes)},
		{"  deferrals", n(t.Deferrals)},
		{"  failures", n(t.Failures)},
		{"Sessions of servers", n(t.Sessions)},
		{"  messages taken", n(t.Taken)},
		{"  refusals", n(t.Refusal)},
		{"Bounces", n(t.Bounces)},
		{"Triple bounces", n(t.Discarded)},
		{"Delay: mean", seconds(d.Mean)},
		{"  median", seconds(d.Median)},
		{"  90 of 100 within", seconds(d.P90)},
		{"  99 of 100 within", seconds(d.P99)},
		{"  longest", seconds(d.Max)},
	}
}

func writeSums(w io.Writer, title string, list []Sum, top int) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n%9s %9s %9s %9s %10s  name\n", title, "tries", "success", "deferral", "failure", "a try")
	for _, s := range list[:min(top, len(list))] {
		fmt.Fprintf(w, "%9d %9d %9d %9d %10s  %s\n", s.Tries, s.Successes, s.Deferrals, s.Failures, seconds(s.Seconds),
			s.Name)
	}
}

func writeReasons(w io.Writer, title string, list []Reason, top int) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, r := range list[:min(top, len(list))] {
		fmt.Fprintf(w, "%9d  %s\n", r.Count, r.Text)
	}
}
