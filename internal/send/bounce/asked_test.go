package bounce

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"qmail/internal/text/dsn"
)

// mixed has a paragraph of each action.
func mixed() []byte {
	par := Note(nil, Delayed, "late@away.test", []byte("Connected to 192.0.2.7 but greeting failed.\n"))
	par = Note(par, Delivered, "ann@mail.test", []byte("did 1+0+0\n"))
	par = Paragraph(par, "nosuch@mail.test", []byte("Sorry, no mailbox here by that name. (#5.1.1)\n"))
	par = Note(par, Relayed, "far@away.test", []byte("192.0.2.7 accepted message.\nRemote host said: 250 2.6.0 ok\n"))
	return Note(par, Expanded, "list@mail.test", []byte("did 0+3+0\nqp 5\n"))
}

// asking writes the report for a sender who asks for it.
func asking(t *testing.T, par []byte, ret string, delay bool) (subject string, types, contents []string) {
	t.Helper()
	asked := (*dsn.Set)(nil).Add(dsn.Record{N: -1, Message: dsn.Message{Ret: ret, EnvID: "QQ+2B314"}})
	asked = asked.Add(dsn.Record{N: -1, To: "v-ann@mail.test", Recipient: dsn.Recipient{Orcpt: "rfc822;Ann+2Bx@old.test"}})
	b, _ := For("joe@mail.test", Names{From: "MAILER-DAEMON", Host: "mail.test"})
	var got bytes.Buffer
	m := Message{Text: strings.NewReader("Subject: x\n\nbody\n"), Size: 17, Asked: asked, Delay: delay,
		Shown: func(addr string) string { return strings.TrimPrefix(addr, "v-") }}
	if err := b.Write(&got, time.Unix(1e9, 0), bytes.NewReader(par), m); err != nil {
		t.Fatal(err)
	}
	_, subject, _ = strings.Cut(got.String(), "\nSubject: ")
	subject, _, _ = strings.Cut(subject, "\n")
	types, contents = parts(t, got.Bytes())
	return subject, types, contents
}

// groups returns the values of a field of each recipient.
func groups(status, field string) (list []string) {
	for _, g := range strings.Split(strings.TrimSpace(status), "\n\n")[1:] {
		_, v, _ := strings.Cut("\n"+g, "\n"+field+": ")
		v, _, _ = strings.Cut(v, "\n")
		list = append(list, v)
	}
	return list
}

func TestAReportSaysOfEachRecipientWhatBecameOfIt(t *testing.T) {
	subject, types, contents := asking(t, mixed(), "", false)
	if subject != "failure notice" || types[2] != "message/rfc822" || !strings.HasSuffix(contents[2], "\nbody\n") {
		t.Errorf("%q %q %q", subject, types, contents[2])
	}
	if strings.HasPrefix(contents[0], "Hi. This is the qmail-send program") || strings.Contains(contents[0], "late@") {
		t.Errorf("%q", contents[0])
	}
	status := contents[1]
	if !strings.Contains(status, "\nOriginal-Envelope-Id: QQ+314\n") {
		t.Errorf("%q", status)
	}
	for field, want := range map[string]string{
		"Action": "delivered failed relayed expanded", "Status": "2.0.0 5.1.1 2.6.0 2.0.0",
		"Original-Recipient": "rfc822; Ann+x@old.test   ",
		"Final-Recipient":    "rfc822; ann@mail.test rfc822; nosuch@mail.test rfc822; far@away.test rfc822; list@mail.test",
		"Remote-MTA":         "  dns; [192.0.2.7] ",
		"Diagnostic-Code": "x-qmail; did 1+0+0 x-qmail; Sorry, no mailbox here by that name. (#5.1.1) smtp; 250 2.6.0 ok " +
			"x-qmail; did 0+3+0 qp 5",
	} {
		if got := strings.Join(groups(status, field), " "); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
}

func TestOnlyFailuresBringTheMessageBackAndWithHDRSNoneDoes(t *testing.T) {
	failed := Paragraph(nil, "nosuch@mail.test", []byte("no (#5.1.1)\n"))
	ends := Note(nil, Delivered, "ann@mail.test", []byte("did 1+0+0\n"))
	for _, c := range []struct {
		par           []byte
		ret, subject  string
		delay, header bool
	}{
		{failed, "", "failure notice", false, false},
		{failed, "FULL", "failure notice", false, false},
		{failed, "HDRS", "failure notice", false, true},
		{ends, "FULL", "delivery notice", false, true},
		{mixed(), "FULL", "failure notice", false, false},
		{mixed(), "FULL", "delay notice", true, true},
	} {
		subject, types, contents := asking(t, c.par, c.ret, c.delay)
		if subject != c.subject || (types[2] == "text/rfc822-headers") != c.header ||
			strings.Contains(contents[2], "body") == c.header {
			t.Errorf("%q %s: %q %q %q", c.par, c.ret, subject, types[2], contents[2])
		}
		if want := "Hi. This is the qmail-send program at mail.test.\n"; !c.header &&
			strings.HasPrefix(contents[0], want) == slices.Contains(groups(contents[1], "Action"), "delivered") {
			t.Errorf("%q", contents[0])
		}
	}
	_, _, contents := asking(t, mixed(), "", true)
	a, s := groups(contents[1], "Action"), groups(contents[1], "Status")
	if !slices.Equal(a, []string{"delayed"}) || s[0] != "4.0.0" {
		t.Errorf("%q", contents[1])
	}
}

func TestNobodysWordsMakeAFailureSomethingElse(t *testing.T) {
	for a := Delivered; a < actions; a++ {
		var got []Action
		par := Paragraph(nil, "x@y", []byte(a.opening()+"(#5.1.1)\n"))
		each(bytes.NewReader(par), func(p paragraph) error {
			got = append(got, p.action)
			return nil
		})
		if !slices.Equal(got, []Action{Failed}) {
			t.Errorf("%q is %v", par, got)
		}
	}
}

func TestADelayThatWasToldIsKnownAndIsNothingToTellAtTheEnd(t *testing.T) {
	late := Note(nil, Delayed, "late@away.test", nil)
	for text, want := range map[string]bool{"": false, string(late): false, string(mixed()): true, "x\n": true} {
		if tells, err := Tells(strings.NewReader(text)); err != nil || tells != want {
			t.Errorf("%q: %v, %v", text, tells, err)
		}
	}
	list, err := Warned(bytes.NewReader(mixed()))
	if err != nil || len(list) != 1 || !list["late@away.test"] {
		t.Errorf("%v, %v", list, err)
	}
}
