package main

import (
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

func TestMailOfStrangersIsCheckedBeforeItIsQueued(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	stop := testserver.Resolve(t, "a.test,v=spf1 ip4:127.0.0.1 -all", "_dmarc.a.test,v=DMARC1; p=reject",
		"_dmarc.b.test,v=DMARC1; p=reject")
	testserver.SetControl(t, "me", "m.test")
	testserver.SetControl(t, "rcpthosts", "m.test")
	testserver.SetControl(t, "dmarc", "refuse")
	testserver.SetControl(t, "spfbehavior", "2")
	address, _ := testserver.Serve(t, "qmail-smtpd")
	from := "From: Joe <joe@a.test>\r\nAuthentication-Results: m.test; dkim=pass"
	if err := testserver.Send(address, from); err != nil {
		t.Fatal(err)
	}
	if m := testserver.Queued(t); !strings.Contains(m, "Authentication-Results: m.test; dkim=pass") {
		t.Errorf("nobody has asked for a filter, and the message is another: %q", m)
	}
	testserver.SetControl(t, "filters", "qmail-verify")
	for range 3 { // by more than one message of one qmail-verify
		if err := testserver.Send(address, from); err != nil {
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
	if err := testserver.Send(address, long); err != nil {
		t.Fatal(err)
	}
	testserver.Queued(t)
	err := testserver.Send(address, "From: Eve <eve@b.test>")
	if err == nil || err.Error() != "554 sorry, refused by the DMARC policy of b.test (#5.7.1)" {
		t.Errorf("a forged author: %v", err)
	}
	stop()
	err = testserver.Send(address, from)
	if err == nil || !strings.HasPrefix(err.Error(), "451 sorry, the DNS does not say now") {
		t.Errorf("without the DNS: %v", err)
	}
	testserver.SetControl(t, "dmarc", "maybe")
	err = testserver.Send(address, from)
	if err == nil || !strings.HasPrefix(err.Error(), "451 qq unable to read configuration") {
		t.Errorf("with a wrong control file: %v", err)
	}
	testserver.SetControl(t, "filters", "no-such-filter")
	if err = testserver.Send(address, from); err == nil || !strings.HasPrefix(err.Error(), "451 unable to exec qq") {
		t.Errorf("without the filter: %v", err)
	}
	os.Remove(home("control/filters"))
	relay, _ := testserver.Serve(t, "qmail-smtpd", "RELAYCLIENT=")
	testserver.SetControl(t, "filters", "qmail-verify")
	if err = testserver.Send(relay, from); err != nil {
		t.Fatal(err)
	}
	if m := testserver.Queued(t); strings.Contains(m, "spf=") {
		t.Errorf("a relay client is checked: %q", m)
	}
	if files, _ := filepath.Glob(home("queue/mess/*/*")); len(files) > 0 {
		t.Errorf("%q were queued", files)
	}
}
