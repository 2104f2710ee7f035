package history

import (
	"encoding/json"
	"io"
	"time"
)

type messageJSON struct {
	ID         uint64         `json:"id"`
	Sender     *string        `json:"sender,omitempty"`
	Bytes      int64          `json:"bytes,omitempty"`
	QP         uint64         `json:"qp,omitempty"`
	UID        *uint64        `json:"uid,omitempty"`
	Start      *time.Time     `json:"start,omitempty"`
	End        *time.Time     `json:"end,omitempty"`
	Deliveries []deliveryJSON `json:"deliveries"`
	Bounce     uint64         `json:"bounce_qp,omitempty"`
	Discarded  bool           `json:"triple_bounce,omitempty"`
	Taken      *takenJSON     `json:"taken,omitempty"`
}

type takenJSON struct {
	Time      *time.Time `json:"time,omitempty"`
	Program   string     `json:"program"`
	Address   string     `json:"address"`
	User      string     `json:"user,omitempty"`
	MessageID string     `json:"message_id,omitempty"`
}

type deliveryJSON struct {
	Number    uint64     `json:"number"`
	Channel   string     `json:"channel"`
	Recipient string     `json:"recipient"`
	Start     *time.Time `json:"start,omitempty"`
	End       *time.Time `json:"end,omitempty"`
	Result    string     `json:"result"`
	Text      string     `json:"text,omitempty"`
}

func timeJSON(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// WriteMessageJSON writes a message as one line of JSON.
func WriteMessageJSON(w io.Writer, m *Message) error {
	j := messageJSON{
		ID: m.Info.ID, Start: timeJSON(m.Start), End: timeJSON(m.End),
		Deliveries: []deliveryJSON{}, Bounce: m.Bounce, Discarded: m.Discarded,
	}
	if m.Known {
		j.Sender, j.Bytes, j.QP, j.UID = &m.Info.Sender, m.Info.Bytes, m.Info.QP, &m.Info.UID
	}
	if t := m.Taken; t != nil {
		j.Taken = &takenJSON{timeJSON(t.Time), t.Program, t.Address, t.User, t.MessageID}
	}
	for _, d := range m.Deliveries {
		j.Deliveries = append(j.Deliveries, deliveryJSON{
			d.Number, d.Channel, d.Recipient, timeJSON(d.Start), timeJSON(d.End), result(d.Result), d.Text,
		})
	}
	return json.NewEncoder(w).Encode(j)
}

// WriteJSON writes the totals as one JSON object, at most top entries of each table.
func (t *Totals) WriteJSON(w io.Writer, top int) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(struct {
		*Totals
		Delays   Delays   `json:"delay_seconds"`
		Hosts    []Sum    `json:"destinations"`
		Worst    []Sum    `json:"worst_destinations"`
		Senders  []Sum    `json:"senders"`
		Failed   []Reason `json:"failure_reasons"`
		Deferred []Reason `json:"deferral_reasons"`
		Refusals []Reason `json:"refusals"`
		Refused  []Reason `json:"refused_addresses"`
		Hours    []Hour   `json:"hours"`
	}{
		t, t.Delays(), head(t.Hosts(), top), head(t.Worst(), top), head(t.Senders(), top),
		head(t.FailureReasons(), top), head(t.DeferralReasons(), top),
		head(t.Refusals(), top), head(t.Refused(), top), t.Hours(),
	})
}

func head[T any](list []T, n int) []T { return list[:min(n, len(list))] }
