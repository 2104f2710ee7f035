package bounce

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os/exec"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/testqmail"
)

// paragraphs are of failures of several kinds.
func paragraphs() []byte {
	var par []byte
	par = Paragraph(par, "nosuch@mail.test", []byte("Sorry, no mailbox here by that name. (#5.1.1)\n"))
	par = Paragraph(par, "far@away.test", []byte("Connected to 192.0.2.7 but sender was rejected.\n"+
		"Remote host said: 550-5.7.1 no\n550 5.7.1 \xc3\xa4 no, go away\n"))
	par = Paragraph(par, "late@away.test",
		[]byte("Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"+TooLong))
	par = Paragraph(par, "j\xc3\xb6rg@away.test",
		[]byte("2001:db8::1 does not like recipient.\nRemote host said: 550 who?\nGiving up on 2001:db8::1.\n"))
	return Paragraph(par, "quiet@mail.test", nil)
}

// report writes a multipart bounce.
func report(t *testing.T, par []byte, message string, limit int64) []byte {
	t.Helper()
	b, _ := For("joe@mail.test", Names{From: "MAILER-DAEMON", Host: "mail.test", Multipart: true, MaxBytes: limit})
	var got bytes.Buffer
	date := time.Date(2001, 1, 2, 3, 4, 5, 0, time.UTC)
	m := Message{Text: strings.NewReader(message), Size: int64(len(message)), Arrived: date}
	if err := b.Write(&got, date, bytes.NewReader(par), m); err != nil {
		t.Fatal(err)
	}
	return got.Bytes()
}

// parts returns the types and contents of the parts.
func parts(t *testing.T, b []byte) (types, contents []string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" {
		t.Fatalf("%v %v %v", kind, params, err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return types, contents
		}
		if err != nil {
			t.Fatal(err)
		}
		c, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		types, contents = append(types, p.Header.Get("Content-Type")), append(contents, string(c))
	}
}

func TestAMultipartBounceSaysTheSameToPeopleAndToPrograms(t *testing.T) {
	const message = "Subject: x\n\nbody \xff without end"
	types, contents := parts(t, report(t, paragraphs(), message, 0))
	if strings.Join(types, "|") != "text/plain; charset=utf-8|message/delivery-status|message/rfc822" {
		t.Fatal(types)
	}
	if !strings.HasPrefix(contents[0], "Hi. This is the qmail-send program at mail.test.\n") ||
		!strings.HasSuffix(contents[0], "didn't work out.\n\n"+strings.TrimSuffix(string(paragraphs()), "\n")) {
		t.Errorf("%q", contents[0])
	}
	const want = `Reporting-MTA: dns; mail.test
Arrival-Date: 2 Jan 2001 03:04:05 -0000

Final-Recipient: rfc822; nosuch@mail.test
Action: failed
Status: 5.1.1
Diagnostic-Code: x-qmail; Sorry, no mailbox here by that name. (#5.1.1)

Final-Recipient: rfc822; far@away.test
Action: failed
Status: 5.7.1
Remote-MTA: dns; [192.0.2.7]
Diagnostic-Code: smtp; 550-5.7.1 no 550 5.7.1 ?? no, go away

Final-Recipient: rfc822; late@away.test
Action: failed
Status: 5.4.1
Diagnostic-Code: x-qmail; Sorry, I wasn't able to establish an SMTP connection. (#4.4.1) TOOLONG

Final-Recipient: utf-8; j\x{F6}rg@away.test
Action: failed
Status: 5.0.0
Remote-MTA: dns; [IPv6:2001:db8::1]
Diagnostic-Code: smtp; 550 who? Giving up on 2001:db8::1.

Final-Recipient: rfc822; quiet@mail.test
Action: failed
Status: 5.0.0
Diagnostic-Code: x-qmail; failed
`
	if contents[1] != strings.Replace(want, "TOOLONG\n", TooLong, 1) {
		t.Errorf("got\n%s", contents[1])
	}
	if contents[2] != "Return-Path: <joe@mail.test>\n"+message {
		t.Errorf("%q", contents[2])
	}
}

func TestNothingInAMessageOrAReportMakesAnotherPart(t *testing.T) {
	evil := "--qmail-\n--\n\n--x--\nContent-Type: message/delivery-status\n\n" +
		"Final-Recipient: rfc822; victim@x\nAction: failed\n"
	par := Paragraph(nil, "a>:\n<victim@x>:\n\n--b", []byte("\r\n\n\n"+evil+"\x00\x1b[2J\n<victim@x>:\nx\n"))
	types, contents := parts(t, report(t, par, "Subject: y\n\n"+evil, 0))
	if len(types) != 3 || strings.Count(contents[1], "\n\n") != 1 ||
		strings.Count(contents[1], "\nFinal-Recipient: ") != 1 ||
		strings.ContainsAny(strings.Join(contents, ""), "\r\x00\x1b") {
		t.Errorf("%d parts: %q", len(types), contents)
	}
	again, _ := parts(t, report(t, par, string(report(t, par, "Subject: y\n\nz", 0)), 0))
	if len(again) != 3 {
		t.Errorf("a bounce in a bounce makes %d parts", len(again))
	}
}

func TestABounceCopiesNoMoreThanBouncemaxbytes(t *testing.T) {
	message := "Subject: x\nX-Long: y\n\n" + strings.Repeat("secret\n", 100)
	types, contents := parts(t, report(t, paragraphs(), message, 100))
	if types[2] != "text/rfc822-headers" || contents[2] != "Return-Path: <joe@mail.test>\nSubject: x\nX-Long: y\n" {
		t.Errorf("%q %q", types[2], contents[2])
	}
	_, contents = parts(t, report(t, paragraphs(), message, 15))
	if contents[2] != "Return-Path: <joe@mail.test>\nSubject: x\n" {
		t.Errorf("%q", contents[2])
	}
	for limit, want := range map[int64]string{
		0: message, int64(len(message)): message,
		27: "Subject: x\nX-Long: y\n\n\n--- The rest of the message is not copied.\n",
	} {
		b, _ := For("joe@mail.test", Names{Host: "h", MaxBytes: limit})
		var got bytes.Buffer
		m := Message{Text: strings.NewReader(message), Size: int64(len(message))}
		if err := b.Write(&got, time.Now(), bytes.NewReader(nil), m); err != nil {
			t.Fatal(err)
		}
		if _, copied, _ := strings.Cut(got.String(), "\nReturn-Path: <joe@mail.test>\n"); copied != want {
			t.Errorf("%d: %q", limit, copied)
		}
	}
}

// reader is a program for Python: its own parser for MIME, and one that list managers have for bounces.
const reader = `
import email, json, sys
from flufl.bounce import all_failures
m = email.message_from_bytes(sys.stdin.buffer.read())
parts = m.get_payload()
status = parts[1].get_payload()
print(json.dumps({
  "defects": [str(d) for p in m.walk() for d in p.defects],
  "types": [p.get_content_type() for p in parts],
  "recipients": [p["Final-Recipient"] for p in status[1:]],
  "subject": parts[2].get_payload()[0]["Subject"],
  "permanent": sorted(a.decode() for a in all_failures(m)[1]),
}))
`

func TestProgramsThatKnowNoQmailReadAMultipartBounce(t *testing.T) {
	testqmail.Need(t, "/usr/bin/python3")
	c := exec.Command("/usr/bin/python3", "-c", reader)
	par := Paragraph(nil, "a@mail.test", []byte("no (#5.1.1)\n"))
	par = Paragraph(par, "b@away.test", []byte("late (#4.4.1)\n"+TooLong))
	c.Stdin = bytes.NewReader(report(t, par, "Subject: the original\n\n\xff\x00body\n", 0))
	var errors strings.Builder
	c.Stderr = &errors
	out, err := c.Output()
	if err != nil {
		t.Fatal(err, errors.String())
	}
	var got struct {
		Defects, Types, Recipients, Permanent []string
		Subject                               string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Defects) > 0 || strings.Join(got.Types, " ") != "text/plain message/delivery-status message/rfc822" ||
		strings.Join(got.Recipients, " ") != "rfc822; a@mail.test rfc822; b@away.test" ||
		got.Subject != "the original" || strings.Join(got.Permanent, " ") != "a@mail.test b@away.test" {
		t.Errorf("%s", out)
	}
}

func FuzzReport(f *testing.F) {
	f.Add(paragraphs(), "Subject: x\n\nbody", int64(0))
	f.Add([]byte("<a>:\n\n\n<b>:\nx (#5.1.1)\n1.2.3.4 x"), "\n", int64(1))
	f.Fuzz(func(t *testing.T, par []byte, message string, limit int64) {
		if limit < 0 {
			return
		}
		types, contents := parts(t, report(t, par, message, limit))
		if len(types) != 3 {
			t.Fatalf("%d parts", len(types))
		}
		for _, line := range strings.Split(contents[1], "\n") {
			name, _, ok := strings.Cut(line, ": ")
			known := strings.Contains(" Reporting-MTA Arrival-Date Final-Recipient Action Status Remote-MTA Diagnostic-Code ",
				" "+name+" ")
			if line != "" && (!ok || len(line) > 998 || !known) ||
				strings.IndexFunc(line, func(c rune) bool { return c < ' ' || c >= 127 }) >= 0 {
				t.Errorf("%q", line)
			}
		}
	})
}
