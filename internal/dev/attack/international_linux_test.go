package attack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/conf"
	"qmail/internal/dev/poll"
	"qmail/internal/dev/testqmail"
	"qmail/internal/text/ascii"
)

// TestAnAddressInUTF8GoesOnlyWhereItIsUnderstoodAndComesToAnEnd has senders and recipients outside ASCII: here, at a
// host that takes them, and at one that does not, where the report that the sender cannot get goes to the postmaster.
func TestAnAddressInUTF8GoesOnlyWhereItIsUnderstoodAndComesToAnEnd(t *testing.T) {
	if !inWorld(t) {
		return
	}
	makeMaildir(t, "orcjoe", "orcsam")
	knows, plain := &far{offers: "250-SMTPUTF8\r\n"}, &far{}
	address := plain.serve(t)
	for name, text := range map[string]string{
		"control/extensions": "dsn\nsmtputf8\n", "control/doublebounceto": "orcsam\n", "alias/.qmail-jörg": "&orcjoe\n",
		"control/smtproutes": "knows.test:" + knows.serve(t) + "\nplain.test:" + address + "\n.plain.test:" + address + "\n",
	} {
		if err := os.WriteFile(filepath.Join(conf.Home(), name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t)
	hosts := []byte("m.test\nknows.test\nplain.test\n.plain.test\n")
	if err := os.WriteFile(filepath.Join(conf.Home(), "control/rcpthosts"), hosts, 0o644); err != nil {
		t.Fatal(err)
	}

	s.hand("MAIL FROM:<josé@plain.test> SMTPUTF8", "RCPT TO:<jörg@m.test>", "RCPT TO:<ü@knows.test>",
		"RCPT TO:<ü@plain.test>")
	s.hand("MAIL FROM:<orcjoe@m.test> SMTPUTF8", "RCPT TO:<a@bücher.plain.test>")
	var double []string
	poll.Until(t, "the postmaster hears of the report that has no way back", func() bool {
		double, _ = filepath.Glob(filepath.Join(testqmail.HomeOf("orcsam"), "Maildir/new/*"))
		return len(double) > 0
	})
	emptied(t)

	here := reports(t)
	if len(here) != 1 || !strings.HasPrefix(here[0], "Return-Path: <\"josé\"@plain.test>\n") ||
		!strings.Contains(here[0], "\nDelivered-To: jörg@m.test\n") || !strings.Contains(here[0], " with UTF8SMTP") {
		t.Errorf("here comes %q", here)
	}
	text, err := os.ReadFile(double[0])
	if err != nil || len(double) != 1 || strings.Count(string(text), "(#5.6.7)") != 2 {
		t.Errorf("%v: %d double bounces: %s", err, len(double), text)
	}
	if a := knows.heard("SMTPUTF8"); len(a) != 1 || !strings.Contains(a[0], "<josé@plain.test>") ||
		len(knows.heard("RCPT TO:<ü@knows.test>")) != 1 {
		t.Errorf("a host that offers it heard %q", knows.heard(""))
	}
	if a := plain.heard("TO:"); len(a) != 1 || a[0] != "RCPT TO:<a@xn--bcher-kva.plain.test>" {
		t.Errorf("a host that does not offer it heard %q", a)
	}
	for _, a := range plain.heard("") {
		if !ascii.IsASCII(a) {
			t.Errorf("a host that does not offer it heard %q", a)
		}
	}
}
