package metrics

import (
	"qmail/internal/queue"
	"qmail/internal/sys/counters"
)

func channelLabel(c queue.Channel) string { return `channel="` + c.String() + `"` }

// sending writes what qmail-send counts.
func (t *text) sending(s *counters.Slots) {
	t.family("qmail_counters_written_timestamp_seconds", "gauge", "When qmail-send wrote its counters last.")
	t.sample("qmail_counters_written_timestamp_seconds", "", s[0])
	t.family("qmail_messages_new_total", "counter", "Messages that qmail-send found in the queue.")
	t.sample("qmail_messages_new_total", "", s[counters.MessagesNew])
	t.family("qmail_messages_ended_total", "counter", "Messages that left the queue.")
	t.sample("qmail_messages_ended_total", "", s[counters.MessagesEnded])
	t.family("qmail_bounces_total", "counter", "Bounces: single to a sender, double to the administrator, "+
		"triple thrown away.")
	t.sample("qmail_bounces_total", `kind="single"`, s[counters.Bounces])
	t.sample("qmail_bounces_total", `kind="double"`, s[counters.DoubleBounces])
	t.sample("qmail_bounces_total", `kind="triple"`, s[counters.TripleBounces])
	t.family("qmail_deliveries_total", "counter", "Ended deliveries to one recipient each.")
	for _, c := range queue.Channels() {
		for kind, word := range [...]string{
			counters.Success: "success", counters.Failure: "failure", counters.Deferral: "deferral",
		} {
			t.sample("qmail_deliveries_total", channelLabel(c)+`,result="`+word+`"`, s[counters.Deliveries(int(c), kind)])
		}
	}
	t.family("qmail_delivery_slots", "gauge", "Deliveries at a time that run.")
	for _, c := range queue.Channels() {
		t.sample("qmail_delivery_slots", channelLabel(c), s[counters.SlotsInUse(int(c))])
	}
	t.family("qmail_delivery_slots_limit", "gauge", "Deliveries at a time that may run.")
	for _, c := range queue.Channels() {
		t.sample("qmail_delivery_slots_limit", channelLabel(c), s[counters.SlotsLimit(int(c))])
	}
	const delay = "qmail_delivery_delay_seconds"
	t.family(delay, "histogram", "From a message's arrival to the success of a recipient, in whole seconds.")
	bounds := counters.Bounds()
	for _, c := range queue.Channels() {
		first := counters.Delay(int(c), 0)
		t.histogram(delay, channelLabel(c), bounds, s[first:first+len(bounds)+1], s[counters.DelaySum(int(c))])
	}
}

// sessions writes what SMTP servers count.
func (t *text) sessions(s *counters.Slots) {
	for _, f := range [...]struct {
		name, help string
		series     []series
	}{
		{"qmail_smtp_sessions_total", "Sessions that ended.", []series{{"", counters.Sessions}}},
		{"qmail_smtp_tls_sessions_total", "Sessions with TLS that ended.", []series{{"", counters.WithTLS}}},
		{"qmail_smtp_messages_accepted_total", "Messages that were accepted.", []series{{"", counters.Accepted}}},
		{"qmail_smtp_refusals_total", "Replies of 4xx and 5xx.",
			[]series{{`,class="4xx"`, counters.RefusedSoft}, {`,class="5xx"`, counters.RefusedHard}}},
		{"qmail_smtp_logins_total", "Logins.",
			[]series{{`,result="success"`, counters.Logins}, {`,result="failure"`, counters.LoginsFailed}}},
	} {
		t.family(f.name, "counter", f.help)
		for _, p := range counters.Programs() {
			for _, x := range f.series {
				t.sample(f.name, `program="`+p+`"`+x.label, s[counters.OfSession(p, x.what)])
			}
		}
	}
}

// A series is one of a family of sessions.
type series struct {
	label string // behind that of the program
	what  int
}
