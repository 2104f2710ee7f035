package main

import (
	"errors"
	"fmt"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
	"qmail/internal/dev/testserver"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

func home(path string) string { return filepath.Join(conf.Home(), path) }

func setControl(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(home("control/"+name), []byte(text+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// send sends a message of joe@a.test, and returns what the server answers.
func send(address, header string) error {
	err := smtp.SendMail(address, nil, "joe@a.test", []string{"ann@m.test"}, []byte(header+"\r\n\r\nbody\r\n"))
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return fmt.Errorf("%d %s", e.Code, e.Msg)
	}
	return err
}

func TestMailOfStrangersIsCheckedBeforeItIsQueued(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	stop := testserver.Resolve(t, "a.test,v=spf1 ip4:127.0.0.1 -all", "_dmarc.a.test,v=DMARC1; p=reject",
		"_dmarc.b.test,v=DMARC1; p=reject")
	setControl(t, "me", "m.test")
	setControl(t, "rcpthosts", "m.test")
	setControl(t, "dmarc", "refuse")
	setControl(t, "spfbehavior", "2")
	address, _ := testserver.Serve(t, "qmail-smtpd")
	from := "From: Joe <joe@a.test>\r\nAuthentication-Results: m.test; dkim=pass"
	if err := send(address, from); err != nil {
		t.Fatal(err)
	}
	if m := testserver.Queued(t); !strings.Contains(m, "Authentication-Results: m.test; dkim=pass") {
		t.Errorf("nobody has asked for a filter, and the message is another: %q", m)
	}
	setControl(t, "filters", "qmail-verify")
	for range 3 { // by more than one message of one qmail-verify
		if err := send(address, from); err != nil {
			t.Fatal(err)
		}
		m := testserver.Queued(t)
		for _, want := range []string{"Authentication-Results: m.test;\n  spf=pass smtp.mailfrom=joe@a.test;\n" +
			"  dkim=none;\n  dmarc=pass header.from=a.test\nReceived-SPF: pass", "Received: from "} {
			if !strings.Contains(m, want) {
				t.Errorf("no %q in %q", want, m)
			}
		}
		if strings.Contains(m, "dkim=pass") {
			t.Errorf("a forged result stays in %q", m)
		}
	}
	long := from + "\r\nX-Long: x" + strings.Repeat("\r\n "+strings.Repeat("y", 900), 200)
	if err := send(address, long); err != nil {
		t.Fatal(err)
	}
	testserver.Queued(t)
	err := send(address, "From: Eve <eve@b.test>")
	if err == nil || err.Error() != "554 sorry, refused by the DMARC policy of b.test (#5.7.1)" {
		t.Errorf("a forged author: %v", err)
	}
	stop()
	err = send(address, from)
	if err == nil || !strings.HasPrefix(err.Error(), "451 sorry, the DNS does not say now") {
		t.Errorf("without the DNS: %v", err)
	}
	setControl(t, "dmarc", "maybe")
	if err = send(address, from); err == nil || !strings.HasPrefix(err.Error(), "451 qq unable to read configuration") {
		t.Errorf("with a wrong control file: %v", err)
	}
	setControl(t, "filters", "no-such-filter")
	if err = send(address, from); err == nil || !strings.HasPrefix(err.Error(), "451 unable to exec qq") {
		t.Errorf("without the filter: %v", err)
	}
	os.Remove(home("control/filters"))
	relay, _ := testserver.Serve(t, "qmail-smtpd", "RELAYCLIENT=")
	setControl(t, "filters", "qmail-verify")
	if err = send(relay, from); err != nil {
		t.Fatal(err)
	}
	if m := testserver.Queued(t); strings.Contains(m, "spf=") {
		t.Errorf("a relay client is checked: %q", m)
	}
	if files, _ := filepath.Glob(home("queue/mess/*/*")); len(files) > 0 {
		t.Errorf("%q were queued", files)
	}
}
