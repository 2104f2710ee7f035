package reporting

import (
	"bytes"
	"errors"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"qmail/internal/mailauth/dmarc"
	"qmail/internal/net/dns"
)

var (
	from  = Sender{"mx.our.test", "postmaster@our.test"}
	begin = time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	end   = begin.Add(24*time.Hour - time.Second)
)

// A zone has texts at names; "down" is a name server that does not answer.
type zone map[string]string

func (z zone) TXT(name string) ([]string, error) {
	t, ok := z[name]
	switch {
	case !ok:
		return nil, dns.ErrNotFound
	case t == "down":
		return nil, errors.New("no answer")
	}
	return strings.Split(t, "\n"), nil
}

func (zone) Exists(string) (bool, error) { return true, nil }

func entry(ip, domain string) dmarc.Entry {
	rec, _ := dmarc.Parse("v=DMARC1; p=reject; sp=quarantine; aspf=s; rua=mailto:dmarc@" + domain)
	return dmarc.Entry{
		IP: netip.MustParseAddr(ip), From: domain, At: domain, Published: rec, Disposition: "reject",
		Sender: "bad.test", Origin: "bad.test", OriginState: "pass",
		Signatures: []dmarc.Signature{{Domain: "bad.test", Selector: "s1", State: "pass"}},
	}
}

// tally counts three messages of two domains.
func tally() *Tally {
	t := NewTally()
	for _, e := range []dmarc.Entry{entry("192.0.2.1", "b.test"), entry("192.0.2.1", "a.test"),
		entry("192.0.2.1", "b.test"), entry("2001:db8::1", "b.test")} {
		t.Add(e.Words())
	}
	t.Add([]string{"rubbish"})
	return t
}

func TestADMARCReportSaysWhatWasCounted(t *testing.T) {
	list := tally().Reports(from, begin, end)
	if len(list) != 2 || list[0].Policy.Domain != "a.test" || list[1].Policy.Domain != "b.test" {
		t.Fatalf("%+v", list)
	}
	b, err := list[1].XML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">`, "<version>1.0</version>", "<org_name>mx.our.test</org_name>",
		"<begin>1795737600</begin>", "<p>reject</p>", "<sp>quarantine</sp>", "<aspf>s</aspf>",
		"<source_ip>192.0.2.1</source_ip>", "<count>2</count>", "<disposition>reject</disposition>",
		"<header_from>b.test</header_from>", "<selector>s1</selector>",
	} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s is not in\n%s", want, b)
		}
	}
	f, err := ParseFeedback(b)
	if err != nil || len(f.Records) != 2 || f.Records[0].Count+f.Records[1].Count != 3 || f.Metadata.End != end.Unix() {
		t.Errorf("%+v, %v", f, err)
	}
	again := tally().Reports(from, begin, end)
	if again[1].Metadata.ID != list[1].Metadata.ID || list[0].Metadata.ID == list[1].Metadata.ID {
		t.Error("its name is not the same for the same one only")
	}
}

func TestALetterIsReadAsItWasWritten(t *testing.T) {
	r := tally().Reports(from, begin, end)[1]
	l, err := r.Letter()
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Bytes(from, "dmarc@b.test", end)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	subject := "Report Domain: b.test Submitter: mx.our.test Report-ID: " + r.Metadata.ID
	if got := m.Header.Get("Subject"); got != subject {
		t.Errorf("Subject: %s", got)
	}
	if !bytes.Contains(b, []byte("filename=\"mx.our.test!b.test!1795737600!1795823999!"+r.Metadata.ID+".xml.gz\"")) {
		t.Errorf("%s", b)
	}
	text, err := Read(bytes.NewReader(b))
	const rest = " signature=bad.test:pass sender=bad.test:pass\n"
	want := "dmarc b.test p=reject by mx.our.test from 2026-11-27T00:00:00Z to 2026-11-27T23:59:59Z\n" +
		"2 from 192.0.2.1 dkim=fail spf=fail disposition=reject author=b.test" + rest +
		"1 from 2001:db8::1 dkim=fail spf=fail disposition=reject author=b.test" + rest
	if err != nil || text != want {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestAReportGoesOnlyWhereItIsWanted(t *testing.T) {
	const rec = "v=DMARC1; p=none"
	z := zone{
		"_dmarc.a.test": rec, "_dmarc.big.test": rec,
		"a.test._report._dmarc.yes.test":       "v=DMARC1",
		"a.test._report._dmarc.other.test":     "v=DMARC1; rua=mailto:in@other.test",
		"a.test._report._dmarc.elsewhere.test": "v=DMARC1; rua=mailto:x@victim.test",
		"a.test._report._dmarc.no.test":        "hello",
	}
	r := DomainReport{To: []string{"x@a.test", "x@sub.a.test", "x@yes.test", "x@other.test", "x@elsewhere.test",
		"x@no.test", "x@nothing.test", "x y@a.test", "x@a.test\nBcc: v@victim.test", "<x@a.test>", "x@y@a.test"}}
	r.Policy.Domain = "a.test"
	got, err := r.Willing(z)
	want := []string{"x@a.test", "x@sub.a.test", "x@yes.test", "in@other.test", "x@elsewhere.test"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	z["a.test._report._dmarc.yes.test"] = "down"
	if _, err := r.Willing(z); err == nil {
		t.Error("it knows without an answer")
	}
}

func TestATLSReportSaysWhatWasCounted(t *testing.T) {
	n := NewTLSTally()
	for _, s := range []Session{
		{"sts", "b.test", "mx1.b.test", "192.0.2.1", "", ""}, {"sts", "b.test", "mx2.b.test", "192.0.2.2", "", ""},
		{"sts", "b.test", "mx1.b.test", "192.0.2.1", "certificate-expired", "its certificate has expired"},
		{"no-policy-found", "a.test", "mx.a.test", "192.0.2.3", "starttls-not-supported", "no STARTTLS"},
	} {
		n.Add(s.Words())
	}
	n.Add([]string{"rubbish"})
	if got := n.Domains(); !slices.Equal(got, []string{"a.test", "b.test"}) {
		t.Fatalf("%q", got)
	}
	r := n.Report("b.test", from, begin, end)
	l, err := r.Letter("b.test")
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Bytes(from, "tls@b.test", end)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nTLS-Report-Domain: b.test\n", "\nTLS-Report-Submitter: mx.our.test\n", "\nTLS-Required: No\n",
		"Content-Type: multipart/report; report-type=\"tlsrpt\";", "Content-Type: application/tlsrpt+gzip",
	} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("%q is not in\n%s", want, b)
		}
	}
	text, err := Read(bytes.NewReader(b))
	want := "tls by mx.our.test from 2026-11-27T00:00:00Z to 2026-11-27T23:59:59Z\nsts b.test good=2 failed=1\n" +
		"1 certificate-expired host=mx1.b.test ip=192.0.2.1 reason=its?certificate?has?expired\n"
	if err != nil || text != want {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestWhoWantsATLSReportSaysSoOnce(t *testing.T) {
	z := zone{
		"_smtp._tls.a.test":    "v=TLSRPTv1; rua=mailto:x@a.test,https://a.test/in,mailto:y@b.test",
		"_smtp._tls.none.test": "hi",
		"_smtp._tls.two.test":  "v=TLSRPTv1; rua=mailto:x@a.test\nv=TLSRPTv1; rua=mailto:y@a.test",
		"_smtp._tls.down.test": "down",
	}
	for domain, want := range map[string][]string{
		"a.test": {"x@a.test", "y@b.test"}, "none.test": nil, "two.test": nil, "nothing.test": nil,
	} {
		if got, err := TLSWanted(z, domain); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", domain, got, err)
		}
	}
	if _, err := TLSWanted(z, "down.test"); err == nil {
		t.Error("it knows without an answer")
	}
}

func TestWhatIsNoReportIsSaid(t *testing.T) {
	for _, text := range []string{"", "hello", "From: a@b\n\nhello\n", "{}", "\x1f\x8bxx", "<html>",
		"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nhello\n--x--\n"} {
		if got, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q says %q", text, got)
		}
	}
}

func TestAStrangersReportWritesNoControlBytes(t *testing.T) {
	text, err := Read(strings.NewReader("<feedback><report_metadata><org_name>a\x1b&#10;b</org_name></report_metadata>" +
		"<policy_published><domain>x&#13;y</domain></policy_published></feedback>"))
	if err == nil && (strings.ContainsAny(text, "\x1b\r") || strings.Count(text, "\n") != 1) {
		t.Errorf("%q", text)
	}
}

func FuzzRead(f *testing.F) {
	r := tally().Reports(from, begin, end)[0]
	l, err := r.Letter()
	if err != nil {
		f.Fatal(err)
	}
	b, err := l.Bytes(from, "x@a.test", end)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(l.Report)
	f.Add([]byte(`{"report-id":"x","policies":[` +
		`{"policy":{"policy-type":"sts"},"failure-details":[{"result-type":"x"}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, c := range []byte(text) {
			if c != '\n' && (c < ' ' || c >= 0x7f) {
				t.Fatalf("%q", text)
			}
		}
	})
}

// FuzzTally counts what a taken-over qmaild may note.
func FuzzTally(f *testing.F) {
	f.Add(strings.Join(entry("192.0.2.1", "a.test").Words(), "\t"))
	f.Fuzz(func(t *testing.T, line string) {
		n := NewTally()
		n.Add(strings.Split(line, "\t"))
		for _, r := range n.Reports(from, begin, end) {
			to, err := r.Willing(zone{})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range to {
				if !IsAddress(a) {
					t.Errorf("%q is an address", a)
				}
			}
			l, err := r.Letter()
			if err != nil {
				continue
			}
			b, err := l.Bytes(from, "x@a.test", end)
			if err != nil {
				t.Fatal(err)
			}
			m, err := mail.ReadMessage(bytes.NewReader(b))
			if err != nil || len(m.Header) != 8 {
				t.Errorf("%v, %q", err, b)
			}
		}
	})
}
