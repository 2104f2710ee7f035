package main

import (
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/testqmail"
	"qmail/internal/dev/testserver"
	"qmail/internal/mailauth/reporting"
	"qmail/internal/sys/daybook"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testqmail.Remove()
	os.Exit(code)
}

func home(path string) string { return filepath.Join(conf.Home(), path) }

// reporter runs qmail-report as an account.
func reporter(t *testing.T, account string, args ...string) (string, int) {
	t.Helper()
	uid, gid, ok := testqmail.Account(account)
	if !ok {
		t.Fatalf("no account %s", account)
	}
	cmd := exec.Command(home("bin/qmail-report"), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// yesterday makes today's notes those of the day before.
func yesterday(t *testing.T, folder string) {
	t.Helper()
	list, _ := filepath.Glob(home(folder + "/*"))
	if len(list) != 1 {
		t.Fatalf("the days are %q", list)
	}
	if err := os.Rename(list[0], home(folder+"/20261120")); err != nil {
		t.Fatal(err)
	}
}

func TestDomainsGetTheReportsThatTheyWant(t *testing.T) {
	if !testqmail.Inside(t) {
		return
	}
	u := conf.UserNames()
	stop := testserver.Resolve(t, "a.test,v=spf1 ip4:127.0.0.1 -all",
		"_dmarc.a.test,v=DMARC1; p=none; rua=mailto:in@a.test", "_dmarc.b.test,v=DMARC1; p=none",
		"_smtp._tls.a.test,v=TLSRPTv1; rua=mailto:tls@a.test")
	for name, text := range map[string]string{"me": "m.test", "rcpthosts": "m.test", "filters": "qmail-verify"} {
		testserver.SetControl(t, name, text)
	}
	address, _ := testserver.Serve(t, "qmail-smtpd")
	send := func(domain string) {
		from := "joe@" + domain
		err := smtp.SendMail(address, nil, from, []string{"ann@m.test"}, []byte("From: "+from+"\r\n\r\nbody\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		testserver.Queued(t)
	}
	send("a.test")
	if list, _ := filepath.Glob(home("reports/*/*")); len(list) > 0 {
		t.Fatalf("nobody makes reports, and %q are noted", list)
	}
	testserver.SetControl(t, "dmarcreports", "postmaster@m.test")
	send("a.test")
	send("a.test")
	send("b.test") // which wants none
	if out, code := reporter(t, u.Remote, "dmarc"); out != "" || code != 0 {
		t.Errorf("before the day is over: %d, %s", code, out)
	}
	yesterday(t, daybook.DMARC)
	stop()
	if out, code := reporter(t, u.Remote, "dmarc"); code != 111 || !strings.Contains(out, "the day is kept") {
		t.Errorf("without the DNS: %d, %s", code, out)
	}
	testserver.Resolve(t, "_dmarc.a.test,v=DMARC1; p=none; rua=mailto:in@a.test",
		"_smtp._tls.a.test,v=TLSRPTv1; rua=mailto:tls@a.test")
	if out, code := reporter(t, u.Remote, "dmarc", "-n"); code != 0 || !strings.Contains(out, "\nTo: in@a.test\n") {
		t.Errorf("to look at: %d, %s", code, out)
	}
	if out, code := reporter(t, u.Remote, "dmarc"); out != "" || code != 0 {
		t.Fatalf("%d, %s", code, out)
	}
	text, err := reporting.Read(strings.NewReader(testserver.Queued(t)))
	if err != nil || !strings.Contains(text, "dmarc a.test p=none by m.test") ||
		!strings.Contains(text, "2 from 127.0.0.1 dkim=fail spf=pass disposition=pass author=a.test") {
		t.Errorf("%v, %q", err, text)
	}
	if list, _ := filepath.Glob(home("reports/*/*")); len(list) > 0 {
		t.Errorf("%q are left", list)
	}
	testserver.SetControl(t, "tlsreports", "postmaster@m.test")
	s := reporting.Session{Kind: "sts", Domain: "a.test", Host: "mx.a.test", IP: "192.0.2.1",
		Result: "certificate-expired"}
	book := daybook.Of(conf.Home(), daybook.TLS)
	if err := book.Add(time.Now(), s.Words()...); err != nil {
		t.Fatal(err)
	}
	yesterday(t, daybook.TLS)
	if out, code := reporter(t, u.Remote, "tls"); out != "" || code != 0 {
		t.Errorf("notes of somebody else: %d, %s", code, out)
	}
	uid, gid, _ := testqmail.Account(u.Remote)
	if err := os.Chown(home(daybook.TLS+"/20261120"), uid, gid); err != nil {
		t.Fatal(err)
	}
	if out, code := reporter(t, u.Remote, "tls"); out != "" || code != 0 {
		t.Fatalf("%d, %s", code, out)
	}
	if text, err = reporting.Read(strings.NewReader(testserver.Queued(t))); err != nil ||
		!strings.Contains(text, "sts a.test good=0 failed=1\n1 certificate-expired host=mx.a.test") {
		t.Errorf("%v, %q", err, text)
	}
	for _, account := range []string{u.Alias, u.Send, u.Queue} {
		if out, code := reporter(t, account, "dmarc"); code == 0 {
			t.Errorf("%s may read what is noted: %s", account, out)
		}
	}
}
