package smtpd

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"qmail/internal/text/peerlog"
)

func TestWhoSpeaksBeforeTheGreetingIsRefusedAndWhoWaitsIsNot(t *testing.T) {
	files := map[string]string{"me": "m.test\n", "greetdelay": "60\n"}
	w := newWorld(t, files, "LOGREFUSED=")
	var log bytes.Buffer
	s := w.server()
	s.Log = peerlog.Of(&log, "p", w.env, 7)
	began := time.Now()
	replies, code := w.with(s, "EHLO x\r\n"+message+"QUIT\r\n")
	const refusal = "554 SMTP protocol violation: you spoke before the greeting (#5.5.1)"
	if replies != refusal+"\r\n" || code != ended || strings.Count(log.String(), refusal) != 1 {
		t.Errorf("%q, %v; log: %s", replies, code, log.String())
	}
	if replies, _ := w.with(w.server(), ""); replies != "" {
		t.Errorf("who hangs up while it waits hears %q", replies)
	}
	if time.Since(began) > 50*time.Second {
		t.Error("the whole pause was waited for")
	}
	w = newWorld(t, files, "GREETDELAY=1")
	began = time.Now()
	g := visit(t, w.server())
	g.say("", "220 ")
	if time.Since(began) < time.Second {
		t.Error("there was no pause")
	}
	g.say("HELO x\r\nQUIT\r\n", "250", "221")
}

func TestWhoMayRelayAndUsersWaitForNothing(t *testing.T) {
	const five = "RCPT TO:<a@m.test>\r\nRCPT TO:<b@m.test>\r\nRCPT TO:<c@m.test>\r\nRCPT TO:<d@m.test>\r\n"
	for name, change := range map[string]func(s *Server){
		"RELAYCLIENT": func(s *Server) { s.Env = append(s.Env, "RELAYCLIENT=") },
		"submission": func(s *Server) {
			s.Submission = &Submission{May: func(string, string) (bool, error) { return true, nil }}
			s.Login = new(book)
		},
		"TLS from the start": func(s *Server) { s.Env = append(s.Env, "SMTPS=", "TARPITCOUNT=0") },
	} {
		w := newWorld(t, map[string]string{
			"me": "m.test\n", "rcpthosts": "m.test\n", "greetdelay": "60\n", "tarpitcount": "1\n",
		})
		s := w.withTLS(false)
		s.Sleep = func(time.Duration) { t.Errorf("%s: the tarpit", name) }
		change(&s)
		began := time.Now()
		g := visit(t, s)
		if name == "TLS from the start" {
			g.encrypt()
		}
		g.say("EHLO x\r\n", "220", "250")
		if name == "submission" {
			g.say("STARTTLS\r\n", "220")
			g.encrypt()
			g.say("AUTH PLAIN "+b64("\x00joe\x00pw")+"\r\n", "235")
		}
		g.say("MAIL FROM:<a@b>\r\n"+five+"QUIT\r\n", "250", "250", "250", "250", "250", "221")
		if time.Since(began) > 50*time.Second {
			t.Errorf("%s: a pause", name)
		}
	}
}

func TestEachRecipientBeyondTarpitcountWaitsUntilTheNextMessage(t *testing.T) {
	w := newWorld(t, map[string]string{
		"me": "m.test\n", "rcpthosts": "m.test\n", "tarpitcount": "2\n", "tarpitdelay": "100000\n",
	}, "LOGREFUSED=")
	var log bytes.Buffer
	var waits []time.Duration
	s := w.server()
	s.Sleep = func(d time.Duration) { waits = append(waits, d) }
	s.Log = peerlog.Of(&log, "p", w.env, 7)
	const one, unknown = "RCPT TO:<a@m.test>\r\n", "RCPT TO:<a@far.test>\r\n"
	replies, _ := w.with(s, "HELO x\r\nMAIL FROM:<a@b>\r\n"+one+unknown+one+unknown+
		"MAIL FROM:<a@b>\r\n"+one+one+one+"QUIT\r\n")
	if got, want := codes(replies), "220 250 250 250 553 250 553 250 250 250 250 221"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	if len(waits) != 3 || waits[0] != maxTarpit*time.Second {
		t.Errorf("waited for %v", waits)
	}
	if n := strings.Count(log.String(), "slowed down after 2 recipients from <a@b> helo <x>\n"); n != 1 {
		t.Errorf("%d lines of it: %s", n, log.String())
	}
}

func TestOneClientCannotFloodTheLog(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"}, "LOGREFUSED=")
	var log bytes.Buffer
	s := w.server()
	s.Log = peerlog.Of(&log, "p", w.env, 7)
	s.Doors = func() ([]Door, error) { return []Door{greylist{}}, nil }
	flood := strings.Repeat("RCPT TO:<later@m.test>\r\n", 5*maxNoted)
	w.with(s, "HELO x\r\nMAIL FROM:<a@b>\r\n"+flood+"RCPT TO:<now@m.test>\r\nDATA\r\n.\r\nMAIL FROM:<a@b>\r\n"+flood+
		"QUIT\r\n")
	if n := strings.Count(log.String(), ": 450 come again"); n != 2*maxNoted {
		t.Errorf("%d lines of refusals", n)
	}
	if !strings.Contains(log.String(), "1 accepted, 2000 refused") {
		t.Errorf("the end does not tell how many there were: %q", log.String()[max(0, log.Len()-200):])
	}
}

// A greylist defers later@m.test.
type greylist struct{}

func (greylist) Admit(stage Stage, v *Visit) string {
	if stage == AtRcpt && v.Recipient == "later@m.test" {
		return "450 come again (#4.7.1)"
	}
	return ""
}
