package attack

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
)

func TestNumbersEqualWhatWasSentAndRefused(t *testing.T) {
	if !inWorld(t) {
		return
	}
	if out, err := exec.Command(home("/bin/qmail-stats"), "-c").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	makeMaildir(t, "orcjoe")
	s := start(t)
	for n := range 3 {
		if _, err := s.deliver("127.0.0.2", n); err != nil {
			t.Fatal(err)
		}
	}
	c, err := s.dial("127.0.0.3")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	for _, l := range []string{"", "MAIL FROM:<a@b.test>\r\n", "RCPT TO:<a@elsewhere.test>\r\n", "QUIT\r\n"} {
		io.WriteString(c, l)
		if _, err := r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	queue(t, "From: orcjoe@m.test\nSubject: to nobody\n\n", "-forcjoe@m.test", "nosuchuser@m.test")

	var out []byte
	poll.Until(t, "the numbers", func() bool {
		if out, err = exec.Command(home("/bin/qmail-stats")).Output(); err != nil {
			return false
		}
		for _, line := range []string{
			`qmail_messages_new_total 5`, `qmail_messages_ended_total 5`,
			`qmail_bounces_total{kind="single"} 1`, `qmail_bounces_total{kind="double"} 0`,
			`qmail_deliveries_total{channel="local",result="success"} 4`,
			`qmail_deliveries_total{channel="local",result="failure"} 1`,
			`qmail_deliveries_total{channel="remote",result="success"} 0`,
			`qmail_delivery_delay_seconds_count{channel="local"} 4`,
			`qmail_delivery_slots{channel="local"} 0`, `qmail_delivery_slots_limit{channel="local"} 10`,
			`qmail_queue_messages{state="todo"} 0`, `qmail_queue_messages{state="waiting"} 0`,
			`qmail_smtp_sessions_total{program="qmail-smtpd"} 4`,
			`qmail_smtp_messages_accepted_total{program="qmail-smtpd"} 3`,
			`qmail_smtp_refusals_total{program="qmail-smtpd",class="5xx"} 1`,
			`qmail_smtp_refusals_total{program="qmail-smtpd",class="4xx"} 0`,
		} {
			if !strings.Contains("\n"+string(out), "\n"+line+"\n") {
				return false
			}
		}
		return true
	}, func() string { return string(out) })
}
