//go:build linux

package peers

import (
	"encoding/json"
	"testing"

	"qmail/internal/history"
)

// Numbers of messages that are gone are used again while the log is written.
func TestTheTotalsOfALogAreWhatWasSent(t *testing.T) {
	if !inside(t) {
		return
	}
	q := here(t)
	q.configure()
	q.maildir("me", "orcjoe")
	q.start()
	const n = 60
	q.flood(n, "me@qmail.test", "orcjoe@qmail.test", "nobody@qmail.test")
	q.waitEmpty()
	q.stop()
	q.write("/run/log", q.text())
	var got history.Totals
	out := q.must("root", home("bin/qmail-log"), "-j", "/run/log")
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// Each message to nobody fails, and its bounce is a message to me.
	want := history.Totals{Messages: 4 * n, Deliveries: 4 * n, Local: 4 * n, Successes: 3 * n, Failures: n, Bounces: n}
	if got.Messages != want.Messages || got.Open != 0 || got.Deliveries != want.Deliveries || got.Local != want.Local ||
		got.Successes != want.Successes || got.Failures != want.Failures || got.Bounces != want.Bounces {
		t.Errorf("qmail-log: %+v\nwas sent: %+v", got, want)
	}
	if mine := len(q.messages("me")); mine != 2*n {
		t.Errorf("%d messages are there", mine)
	}
}
