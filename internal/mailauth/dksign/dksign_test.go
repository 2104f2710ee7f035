package dksign

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/mailauth/dkim"
	"qmail/internal/site/control"
	"qmail/internal/text/crlf"
	"qmail/internal/text/rfc822"
)

// pair has one key for all names but those that begin with "no".
type pair struct {
	key   ed25519.PrivateKey
	asked []string
}

func (p *pair) Algorithm(domain, selector string) (dkim.Algorithm, error) {
	p.asked = append(p.asked, domain+"/"+selector)
	if strings.HasPrefix(selector, "no") {
		return "", errors.New("no such key")
	}
	if strings.HasPrefix(selector, "rsa") {
		return dkim.RSA, nil
	}
	return dkim.Ed25519, nil
}

func (p *pair) Sign(_, _ string, block []byte) ([]byte, error) {
	sum := sha256.Sum256(block)
	return ed25519.Sign(p.key, sum[:]), nil
}

func (p *pair) lookup(string) ([]string, error) {
	return []string{"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(p.key.Public().(ed25519.PublicKey))}, nil
}

// newSigner returns a Signer with these rules.
func newSigner(t testing.TB, lines string) (*Signer, *pair) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, control.Signing), []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	_, key, _ := ed25519.GenerateKey(nil)
	p := &pair{key: key}
	return &Signer{Control: control.Dir(dir), Keys: p, Now: func() time.Time { return time.Unix(1e9, 0) }}, p
}

// verify returns what a receiver finds of a message in the queue that leaves with fields on top.
func verify(t testing.TB, p *pair, fields []byte, message string) []dkim.Result {
	t.Helper()
	v := dkim.NewVerifier(dkim.Usual())
	w := crlf.NewLines(v)
	w.Write(append(bytes.Clone(fields), message...))
	return v.Results(p.lookup, time.Unix(1e9, 0))
}

var day = time.Unix(1e9, 0)

// queued is what qmail-queue has written on top of a message.
func queued(invoker string) string { return string(rfc822.ReceivedByQueue(17, invoker, day)) }

// from is what a server has written there.
func from(protocol, helo string) string {
	return queued("from network") + server(protocol, helo)
}

func server(protocol, helo string) string {
	return string(rfc822.ReceivedFrom(rfc822.Peer{
		RemoteHost: "h", RemoteIP: "192.0.2.1", LocalHost: "me.test", Helo: helo, Greeted: true, RemoteInfo: helo,
	}, protocol, day))
}

const text = "From: Joe <joe@a.test>\nSubject: x\n\nbody\n"

func TestOnlyWhatOursWroteIsSigned(t *testing.T) {
	s, p := newSigner(t, "a.test:sel\n")
	const other = "Received: from x by y with ESMTPSA id z; 1 Jan 2001 00:00:00 -0000\n"
	const own = "  by me.test with ESMTPSA (TLS1.3); 1 Jan 2001 00:00:00 -0000\n"
	for name, c := range map[string]struct {
		message string
		want    bool
	}{
		"a local user":           {queued("by uid 1000") + text, true},
		"the alias user":         {queued("by alias") + text, true},
		"a bounce":               {queued("for bounce") + text, true},
		"a login":                {from("ESMTPSA (TLS1.3 X)", "h") + text, true},
		"a login without TLS":    {from("ESMTPA", "h") + text, true},
		"a relay client":         {from("SMTP "+rfc822.RelayClient, "h") + text, true},
		"a relay client, TLS":    {from("ESMTPS (TLS1.3 X) "+rfc822.RelayClient, "h") + text, true},
		"a QMTP relay client":    {from("QMTP "+rfc822.RelayClient, "") + text, true},
		"QMQP by TLS":            {from("QMQPS (TLS1.3 X)", "") + text, true},
		"QMTP relay client, TLS": {from("QMTPS (TLS1.3 X) "+rfc822.RelayClient, "") + text, true},
		"QMQP":                   {from("QMQP", "") + text, true},
		"a login, other fields": {queued("from network") + "X-Seen: x\n" + from("ESMTPSA (X)",
			"h")[len(queued("from network")):] + text, true},
		"its own history":       {from("ESMTPSA (X)", "h") + "Received: from x\nDelivered-To: y\n" + text, true},
		"a stranger":            {from("SMTP", "h") + text, false},
		"a stranger with TLS":   {from("ESMTPS (TLS1.3 X)", "h") + text, false},
		"a stranger's name":     {from("SMTP", "h) with ESMTPSA; ") + text, false},
		"a stranger's QMTP":     {from("QMTP", "") + text, false},
		"a stranger's Received": {from("SMTP", "h") + from("ESMTPSA (X)", "h") + text, false},
		"a forged line of ours": {from("SMTP", "h") + queued("by uid 0") + text, false},
		"sendmail -bs":          {queued("by uid 1000") + server("SMTP "+rfc822.RelayClient, "h") + text, true},
		"a forward with a line like that": {queued("by uid 1000") + "Delivered-To: x\n" +
			server("SMTP "+rfc822.RelayClient, "h") + text, false},
		"a second way behind it": {queued("by uid 1000") + server("SMTP "+rfc822.RelayClient, "h") +
			from("SMTP", "h") + text, false},
		"a local login's line":   {queued("by uid 1000") + server("ESMTPA", "h") + text, false},
		"forwarded by .qmail":    {queued("by uid 1000") + "Delivered-To: joe@a.test\n" + from("SMTP", "h") + text, false},
		"forwarded by a program": {queued("by uid 1000") + from("SMTP", "h") + text, false},
		"a list's":               {queued("by uid 1000") + "Mailing-List: x\n" + from("SMTP", "h") + text, false},
		"a login's, forwarded":   {queued("by alias") + "Delivered-To: x\n" + from("ESMTPSA (X)", "h") + text, false},
		"a Delivered-To above":   {queued("from network") + "Delivered-To: x\nReceived: from x\n" + own + text, false},
		"not ours":               {text, false},
		"not quite ours":         {"Received: (qmail 17 invoked by uid 1000) x; 1 Jan 2001 00:00:00 -0000\n" + text, false},
		"no number":              {"Received: (qmail x invoked by uid 1000); 1 Jan 2001 00:00:00 -0000\n" + text, false},
		"ours, folded":           {"Received: (qmail 17 invoked by uid 1000);\n 1 Jan 2001 00:00:00 -0000\n" + text, false},
		"another server":         {queued("from network") + other + text, false},
		"nothing":                {"", false},
		"no header":              {"\n" + text, false},
	} {
		b, err := s.Sign(strings.NewReader(c.message))
		if err != nil || (len(b) > 0) != c.want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		if c.want {
			if r := verify(t, p, b, c.message); r[0].Status != dkim.Pass || r[0].Domain != "a.test" {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
}

func TestALineOfDkimdomainsSaysHow(t *testing.T) {
	const rules = `a.test:one
b.test:one,two
.c.test:one
.d.test:one|d.test|~|60
e.test:one|other.test|sales@sub.other.test||r:4
f.test:one|||x
g.test:one|||1|q
h.test:one|||1|r::1
i.test:rsa1,ed||||s:4
j.test:no
k.test:1,2,3,4,5
l.test:
.l.test:one
m.test:ONE|M.TEST|x y@m.test
n.test:a;b
o.test:one|o;x
p.test:one,
`
	s, _ := newSigner(t, rules)
	for _, c := range []struct{ from, want string }{
		{"joe@a.test", "d=a.test; s=one"}, {"joe@A.Test", "d=a.test; s=one"}, {"joe@x.a.test", ""}, {"joe@xa.test", ""},
		{"joe@b.test", "d=b.test; s=two"}, {"joe@b.test", "d=b.test; s=one"}, {"joe@c.test", ""},
		{"joe@x.y.c.test", "d=c.test; s=one"}, {"joe@x.d.test", "i=joe@x.d.test"}, {"joe@x.d.test", "x=1000000060"},
		{"joe@e.test", "i=sales@sub.other.test"}, {"joe@e.test", "d=other.test"}, {"joe@f.test", "error"},
		{"joe@g.test", "error"}, {"joe@h.test", "error"}, {"joe@i.test", "c=simple/simple; d=i.test; s=ed"},
		{"joe@j.test", "error"}, {"joe@k.test", "error"}, {"joe@l.test", ""}, {"joe@x.l.test", "d=l.test"},
		{"joe@m.test", "d=m.test; s=one"},
		{"joe@n.test", "error"}, {"joe@o.test", "error"}, {"joe@p.test", "error"},
		{"Joe <joe@a.test>", "d=a.test"}, {"joe@a.test (Joe)", "d=a.test"}, {`"<x@y.test>" <joe@a.test>`, "d=a.test"},
		{`"joe@y.test"@a.test`, "d=a.test"}, {"joe@a.test, jim@a.test", ""}, {"joe", ""}, {"", ""}, {"<>", ""},
		{"all: joe@a.test;", "d=a.test"}, {"joe@[192.0.2.1]", ""}, {"joe@a.test\nFrom: jim@a.test", ""},
		{"Joe\n <joe@a.test>", "d=a.test"}, {"\"", ""}, {strings.Repeat("(", 5000), ""},
	} {
		b, err := s.Sign(strings.NewReader(queued("by uid 1000") + "From: " + c.from + "\n\nx\n"))
		switch {
		case c.want == "error" && (err == nil || !strings.Contains(err.Error(), "dkimdomains") &&
			err.Error() != "no such key"):
			t.Errorf("%s: %q, %v", c.from, b, err)
		case c.want != "error" && (err != nil || (len(b) == 0) != (c.want == "") || !strings.Contains(string(b), c.want)):
			t.Errorf("%s: %q, %v, not %s", c.from, b, err, c.want)
		}
	}
	if b, _ := s.Sign(strings.NewReader(queued("by uid 1000") + "From: x@i.test\n\nx\n")); strings.Count(string(b),
		"s=") != 1 {
		t.Errorf("%s", b)
	}
}

func TestTheBytesThatLeaveAreSigned(t *testing.T) {
	for _, form := range []string{"r", "s", "t", "u"} {
		s, p := newSigner(t, "a.test:one,two||||"+form+"\n")
		for _, body := range []string{
			"", "\n", "\n\n\n", ".\n", "..x\n.\n", "a\r\nb\rc\n", "8 bits \xe9\n", strings.Repeat("long ", 40000) + "\n",
			" \t \nx \n", strings.Repeat("x\n", 100000),
		} {
			m := queued("by uid 1000") + "From: joe@a.test\nSubject: caf\xc3\xa9 \xe9 \n\t folded\nX:" +
				strings.Repeat("x", 2000) + "\n\n" +
				body
			b, err := s.Sign(strings.NewReader(m))
			if err != nil {
				t.Fatal(err)
			}
			list := verify(t, p, b, m)
			if len(list) != 2 || list[0].Status != dkim.Pass || list[1].Status != dkim.Pass {
				t.Errorf("%s, %.40q: %+v", form, body, list)
			}
			if !rfc822.AreSignatures(b) {
				t.Errorf("these are no signatures: %q", b)
			}
		}
	}
}

func TestWhatCannotBeReadIsTrouble(t *testing.T) {
	s, _ := newSigner(t, "a.test:one\n")
	if _, err := s.Sign(broken{}); err == nil {
		t.Error("a message that cannot be read is none to sign")
	}
	s.Control = control.Dir(filepath.Join(t.TempDir(), "x\x00"))
	if _, err := s.Sign(strings.NewReader(queued("by uid 1") + text)); err == nil {
		t.Error("without its control file nothing is signed")
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("disk") }

func FuzzSign(f *testing.F) {
	f.Add([]byte(queued("by uid 1000")+text), "a.test:one||~")
	f.Add([]byte(from("ESMTPSA (X)", "h")+text), ".test:one|a.test|x@a.test|9|s")
	f.Fuzz(func(t *testing.T, m []byte, line string) {
		s, p := newSigner(t, line)
		b, err := s.Sign(bytes.NewReader(m))
		if err != nil || len(b) == 0 {
			return
		}
		if !rfc822.AreSignatures(b) {
			t.Errorf("%q", b)
		}
		for _, r := range verify(t, p, b, string(m))[:strings.Count(string(b), "DKIM-Signature:")] {
			if r.Status != dkim.Pass && r.Algorithm == dkim.Ed25519 && r.Expires == 0 {
				t.Errorf("%q: %+v of %q", m, r, b)
			}
		}
	})
}
