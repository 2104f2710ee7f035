package remote

import (
	"strings"
	"testing"
)

const (
	asking   = "QMAILDSN=;RET=HDRS;ENVID=Q+2BQ;NOTIFY=SUCCESS,DELAY;ORCPT=rfc822+3BO@old.test"
	passedOn = "r|K10.0.0.1 accepted message and what its sender asked for.\nRemote host said: 250 taken\n|"
)

func TestWhatTheSenderAsksForGoesOnWhereEHLOOffersThat(t *testing.T) {
	for offers, asked := range map[string]bool{"250-DSN\r\n": true, "250-dsn\r\n" + pipelining: true, pipelining: false,
		"250-DSNX\r\n": false} {
		s := serve(t, smtp(offers, nil))
		g := newRig(t, s)
		g.Take([]string{asking})
		got := g.usual()
		g.Take(nil)
		if again := g.usual(); again != accepted {
			t.Errorf("the next message: %q", again)
		}
		g.Rest()
		wire := strings.Join(s.wires(), "")
		mail := strings.Contains(wire, "MAIL FROM:<a@b.test>") && strings.Contains(wire, " RET=HDRS ENVID=Q+2BQ\r\n")
		rcpt := strings.Contains(wire, "RCPT TO:<c@far.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;O@old.test\r\n")
		if mail != asked || rcpt != asked || (got == passedOn) != asked || (got == accepted) == asked ||
			strings.Count(wire, "NOTIFY") > 1 {
			t.Errorf("%q: %q, %q", offers, got, wire)
		}
	}
}

func TestWhatAHostCannotBearOfWhatTheSenderAsksForIsLeftOut(t *testing.T) {
	for _, offers := range []string{"250-DSN\n", "250-DSN\n250-PIPELINING\n250-SIZE\n"} {
		for _, verb := range []string{"MAIL", "RCPT"} {
			for _, way := range []string{"501 syntax", "555 5.5.4 unknown", "504 5.5.4 no", "500 what?", "554 no"} {
				h := &host{fault: func(x exchange) string {
					switch {
					case x.verb == "EHLO":
						return "250-fake\n" + offers + "250 HELP"
					case x.verb == verb && strings.Contains(x.line, "="):
						return way
					}
					return ""
				}}
				g := newRig(t, serve(t, h.serve))
				for range 2 {
					g.Take([]string{asking})
					if got := g.send(testMessage, letters("a")...); !all(got, 1) || sorted(h.messages()) != "a" {
						t.Errorf("%s %s: %q", verb, way, got)
					}
				}
			}
		}
	}
}

func TestARefusalOfARecipientCountsWhateverTheSenderAsksFor(t *testing.T) {
	for _, way := range []string{"550 5.1.1 nobody", "550 no", "452 4.2.2 full"} {
		h := &host{fault: func(x exchange) string {
			switch x.verb {
			case "EHLO":
				return "250-fake\n250 DSN"
			case "RCPT":
				return way
			}
			return ""
		}}
		g := newRig(t, serve(t, h.serve))
		g.Take([]string{asking})
		got := g.send(testMessage, letters("a")...)
		if !strings.Contains(got, way) || strings.HasPrefix(got, "s") != (way[0] == '4') || h.questions() != 1 {
			t.Errorf("%s: %q, asked %d times", way, got, h.questions())
		}
	}
}

func TestNothingElseGetsIntoACommand(t *testing.T) {
	for _, bad := range []string{
		";NOTIFY=NEVER\r\nRSET", ";NOTIFY=X", ";RET=HDRS\r\n", ";ENVID=a b", ";ENVID=a\r\nQUIT",
		";ORCPT=rfc822+3Ba>b c", "x", "",
	} {
		s := serve(t, smtp("250-DSN\r\n", nil))
		g := newRig(t, s)
		g.Take([]string{"QMAILDSN=" + bad})
		got := g.usual()
		g.Rest()
		if wire := strings.Join(s.wires(), ""); got != accepted || strings.Contains(wire, "=") ||
			strings.Contains(wire, "RSET") {
			t.Errorf("%q: %q %q", bad, got, wire)
		}
	}
}
