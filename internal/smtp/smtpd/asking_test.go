package smtpd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/submit"
	"qmail/internal/text/dsn"
)

// asking returns a world whose qmail-queue takes along what senders ask for, and its server.
func asking(t *testing.T) (*world, Server) {
	t.Helper()
	w := newWorld(t, map[string]string{"me": "m.test\n", "rcpthosts": "ours.test\n", "extensions": "dsn\n"})
	self, err := os.ReadFile(strings.TrimPrefix(w.env[0], "QMAILQUEUE="))
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	program := filepath.Join(home, "bin/qmail-queue")
	os.Mkdir(filepath.Dir(program), 0o755)
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(program, os.ModeSetuid|0o755); err != nil {
		t.Fatal(err)
	}
	w.env = w.env[1:]
	s := w.server()
	s.Queue = submit.NewIn(home, w.env, nil)
	return w, s
}

const oneRecipient = "EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@ours.test>\r\n"

func TestDSNIsOfferedWhereTheWordIsAndWhoeverQueuesKnowsIt(t *testing.T) {
	w, s := asking(t)
	if got, _ := w.with(s, "EHLO c\r\nQUIT\r\n"); !strings.Contains(got, "\r\n250-DSN\r\n") {
		t.Errorf("%q", got)
	}
	const pestering = "MAIL FROM:<a@b.test> RET=x\r\nRCPT TO:<c@ours.test> NOTIFY=x ORCPT=\x7f\r\n"
	for what, input := range map[string]string{"HELO": "HELO c\r\n", "nothing": ""} {
		if got, _ := w.with(s, input+pestering+"QUIT\r\n"); strings.Contains(got, "501") || strings.Contains(got, "DSN") {
			t.Errorf("after %s: %q", what, got)
		}
	}
	other := newWorld(t, map[string]string{"me": "m.test\n", "rcpthosts": "ours.test\n", "extensions": "dsn\n"})
	if got, _ := other.say("EHLO c\r\n" + pestering + "QUIT\r\n"); strings.Contains(got, "501") ||
		strings.Contains(got, "DSN") {
		t.Errorf("with QMAILQUEUE: %q", got)
	}
	os.WriteFile(filepath.Join(w.dir, "extensions"), []byte("limits\n"), 0o600)
	if got, _ := w.with(s, "EHLO c\r\n"+pestering+"QUIT\r\n"); strings.Contains(got, "501") ||
		strings.Contains(got, "DSN") {
		t.Errorf("without the word: %q", got)
	}
}

func TestWhatIsAskedForGoesToQmailQueueWithTheEnvelope(t *testing.T) {
	w, s := asking(t)
	got, _ := w.with(s, "EHLO c\r\nMAIL FROM:<a@b.test> SIZE=10 RET=hdrs ENVID=Q+2B1\r\n"+
		"RCPT TO:<no@far.test> NOTIFY=NEVER\r\nRCPT TO:<c@ours.test>\r\n"+
		"RCPT TO:<d@ours.test> NOTIFY=success,DELAY ORCPT=rfc822;O@old.test\r\n"+
		"RCPT TO:<d@ours.test> NOTIFY=NEVER\r\nRCPT TO:<e@ours.test> orcpt=rfc822;e@ours.test\r\nDATA\r\n"+
		"Subject: x\r\n\r\n.\r\n"+
		"MAIL FROM:<a@b.test>\r\nRCPT TO:<f@ours.test>\r\nDATA\r\nSubject: y\r\n\r\n.\r\nQUIT\r\n")
	envelopes, _ := w.queued()
	const want = "Fa@b.test\x00Tc@ours.test\x00Td@ours.test\x00Te@ours.test\x00\x00" +
		"p;RET=HDRS;ENVID=Q+2B1\x00p;N=1;NOTIFY=SUCCESS,DELAY;ORCPT=rfc822+3BO@old.test\x00" +
		"p;N=2;ORCPT=rfc822+3Be@ours.test\x00\x00"
	const next = "Fa@b.test\x00Tf@ours.test\x00\x00"
	if len(envelopes) != 2 || envelopes[0] != want && envelopes[1] != want ||
		envelopes[0] != next && envelopes[1] != next {
		t.Errorf("%q, %q", envelopes, got)
	}
}

func TestAParameterThatIsWrongIsRefusedAndNothingIsTakenOfItsCommand(t *testing.T) {
	w, s := asking(t)
	var input strings.Builder
	input.WriteString("EHLO c\r\n")
	bad := []string{"RET=", "RET", "RET=ALL", "RET=FULL RET=FULL", "ENVID=", "ENVID=a\x01b", "ENVID=+zz", "ENVID=a+0Ab",
		"ENVID=" + strings.Repeat("x", dsn.MaxEnvID+1), "NOTIFY=NEVER"}
	for _, b := range bad {
		input.WriteString("MAIL FROM:<a@b.test> " + b + "\r\nRCPT TO:<c@ours.test>\r\n")
	}
	input.WriteString(oneRecipient)
	badTo := []string{"NOTIFY=", "NOTIFY", "NOTIFY=NEVER,DELAY", "NOTIFY=SUCCESS NOTIFY=DELAY", "ORCPT=a@b",
		"ORCPT=rfc822;", "ORCPT=rfc822;a+0D+0Ab", "ORCPT=rfc822;" + strings.Repeat("+2B", dsn.MaxOrcpt/3), "RET=FULL"}
	for _, b := range badTo {
		input.WriteString("RCPT TO:<d@ours.test> " + b + "\r\n")
	}
	input.WriteString("DATA\r\nSubject: x\r\n\r\n.\r\nQUIT\r\n")
	got, _ := w.with(s, input.String())
	envelopes, _ := w.queued()
	if n := strings.Count(got, malformed); n != len(bad)+len(badTo) || strings.Count(got, "503 MAIL first") != len(bad) ||
		len(envelopes) != 1 || envelopes[0] != "Fa@b.test\x00Tc@ours.test\x00\x00" {
		t.Errorf("%d refused, %q, %q", n, envelopes, got)
	}
}

func TestWhatIsAskedForIsBounded(t *testing.T) {
	w, s := asking(t)
	const most = 900
	input := strings.Repeat("RCPT TO:<d@ours.test> NOTIFY=DELAY ORCPT=rfc822;"+strings.Repeat("x", 400)+"\r\n", most)
	got, _ := w.with(s, oneRecipient+input+"RCPT TO:<e@ours.test>\r\nQUIT\r\n")
	taken, full := strings.Count(got, "250 ok\r\n")-3, strings.Count(got, "452 too many recipients")
	if taken+full != most || taken < 100 || taken*400 > dsn.MaxRecords {
		t.Errorf("%d taken, %d not", taken, full)
	}
}

func FuzzWish(f *testing.F) {
	f.Add("RET=FULL ENVID=x", "NOTIFY=NEVER ORCPT=rfc822;a@b")
	f.Add("ENVID=+2B", "NOTIFY=success,delay,failure ORCPT=utf-8;+C3+BC@x")
	f.Fuzz(func(t *testing.T, mail, rcpt string) {
		s := &session{dsn: true}
		p := parseParameters([]byte(mail))
		w, ok := s.wishOf(&p)
		p = parseParameters([]byte(rcpt))
		r, okTo := s.wishFor(&p)
		if !ok || !okTo {
			return
		}
		before := w.size
		if !w.add(0, r) || (w.size > before) != (r != dsn.Recipient{}) {
			t.Errorf("%q %q: %+v", mail, rcpt, w)
		}
		for _, x := range []dsn.Record{{Message: w.message, N: -1}, {Recipient: r, N: 7}} {
			b := string(x.Append(nil))
			if got, ok := dsn.ParseRecord(b); ok && (got.N != x.N || got.Notify != x.Notify || got.Ret != x.Ret) ||
				strings.ContainsAny(b, "\x00\r\n ") {
				t.Errorf("%q became %+v", b, got)
			}
		}
	})
}
