package verify

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/mailauth/dkim"
	"qmail/internal/net/dns"
	"qmail/internal/site/control"
	"qmail/internal/submit/filter"
	"qmail/internal/text/rfc822"
)

// A zone has one text at each name; "down" fails.
type zone map[string]string

func (z zone) TXT(name string) ([]string, error) {
	switch t, ok := z[name]; {
	case !ok:
		return nil, dns.ErrNotFound
	case t == "down":
		return nil, errors.New("no answer")
	default:
		return []string{t}, nil
	}
}

func (z zone) Exists(string) (bool, error)            { return true, nil }
func (z zone) MX(string) ([]dns.MX, error)            { return nil, dns.ErrNotFound }
func (z zone) A(string) ([]netip.Addr, error)         { return nil, dns.ErrNotFound }
func (z zone) AAAA(string) ([]netip.Addr, error)      { return nil, dns.ErrNotFound }
func (z zone) PTR(netip.Addr) ([]string, error)       { return nil, dns.ErrNotFound }
func settings(t testing.TB, files ...string) Settings { return settingsIn(t, nil, files...) }

// settingsIn reads control files, given as names and texts in turn.
func settingsIn(t testing.TB, env []string, files ...string) Settings {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(dir, "me"), []byte("me.test\n"), 0o644)
	s, err := Read(control.Dir(dir), env)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var day = time.Unix(1e9, 0)

// received is what our server writes on top.
func received(protocol string) string {
	return string(rfc822.ReceivedFrom(rfc822.Peer{RemoteHost: "unknown", RemoteInfo: "x", RemoteIP: "192.0.2.1",
		LocalHost: "me.test", Helo: "mail.a.test", Greeted: true}, protocol, day))
}

const text = "From: Joe <joe@a.test>\nSubject: x\n\nbody\n"

// look returns the verdict on a message of joe@a.test.
func look(t testing.TB, s Settings, z zone, message string) Verdict {
	t.Helper()
	var m filter.Spool
	defer m.Close()
	if _, err := m.ReadFrom(strings.NewReader(message)); err != nil {
		t.Fatal(err)
	}
	return s.Look(z, "joe@a.test", &m, day)
}

func TestResultsStandOnTop(t *testing.T) {
	z := zone{"a.test": "v=spf1 ip4:192.0.2.1 -all", "_dmarc.a.test": "v=DMARC1; p=reject"}
	v := look(t, settings(t, "spfbehavior", "1"), z, received("SMTP")+text)
	want := "Authentication-Results: me.test;\n  spf=pass smtp.mailfrom=joe@a.test;\n  dkim=none;\n" +
		"  dmarc=pass header.from=a.test\n" +
		"Received-SPF: pass (me.test) client-ip=192.0.2.1; identity=mailfrom; helo=\"mail.a.test\"\n"
	if v.Refusal != nil || string(v.Head) != want {
		t.Errorf("%v\n%s", v.Refusal, v.Head)
	}
}

// signed returns a message with a signature of a.test, and puts its key into a zone.
func signed(t testing.TB, z zone, message string) string {
	t.Helper()
	public, key, _ := ed25519.GenerateKey(nil)
	z["sel._domainkey.a.test"] = "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
	s := dkim.NewSigner(dkim.Usual(), func([]dkim.Field) []dkim.Canon { return []dkim.Canon{dkim.Relaxed} })
	s.Write([]byte(strings.ReplaceAll(message, "\n", "\r\n")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var d dkim.Template
	d.Algorithm, d.Domain, d.Selector, d.Header, d.Body = dkim.Ed25519, "a.test", "sel", dkim.Relaxed, dkim.Relaxed
	field, err := s.Sign(d, func(block []byte) ([]byte, error) {
		sum := sha256.Sum256(block)
		return ed25519.Sign(key, sum[:]), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(field), "\r\n", "\n") + message
}

func TestASignatureIsEnoughWhereTheHostIsAnother(t *testing.T) {
	z := zone{"a.test": "v=spf1 -all", "_dmarc.a.test": "v=DMARC1; p=reject"}
	message := signed(t, z, text)
	v := look(t, settings(t, "dmarc", "refuse"), z, received("ESMTPS (TLS1.3 X)")+message)
	if v.Refusal != nil || !strings.Contains(string(v.Head), "dkim=pass header.d=a.test header.s=sel") ||
		!strings.Contains(string(v.Head), "dmarc=pass") || strings.Contains(string(v.Head), Marker) {
		t.Errorf("%v\n%s", v.Refusal, v.Head)
	}
	v = look(t, settings(t, "dmarc", "refuse"), z, received("SMTP")+strings.Replace(message, "body", "lies", 1))
	if v.Refusal == nil || v.Refusal.Error() != "sorry, refused by the DMARC policy of a.test (#5.7.1)" {
		t.Errorf("%v\n%s", v.Refusal, v.Head)
	}
	z["sel._domainkey.a.test"] = "down"
	v = look(t, settings(t, "dmarc", "refuse"), z, received("SMTP")+message)
	if v.Refusal != nil || !strings.Contains(string(v.Head), "dmarc=temperror") {
		t.Errorf("what cannot be known now is refused: %v\n%s", v.Refusal, v.Head)
	}
}

func TestPolicyOfTheSiteDecides(t *testing.T) {
	z := zone{"_dmarc.a.test": "v=DMARC1; p=reject", "b.test": "v=spf1 -all", "_dmarc.b.test": "v=DMARC1; p=quarantine",
		"_dmarc.c.test": "v=DMARC1; p=none"}
	two := "From: joe@a.test\nFrom: x@c.test\n\n"
	for _, c := range []struct {
		mode, from      string
		refused, marked bool
	}{
		{"tell", text, false, false}, {"mark", text, false, true}, {"refuse", text, true, false},
		{"refuse", "From: x@b.test\n\n", false, true}, {"mark", "From: x@c.test\n\n", false, false},
		{"mark", two, false, false}, {"refuse", two, true, false}, {"refuse", "From: x@a.test, y@c.test\n\n", true, false},
		{"refuse", "From: x@nothing.test\n\n", false, false}, {"refuse", "Subject: no author\n\n", false, false},
	} {
		v := look(t, settings(t, "dmarc", c.mode), z, received("SMTP")+c.from)
		if (v.Refusal != nil) != c.refused || strings.Contains(string(v.Head), Marker) != c.marked {
			t.Errorf("%s, %q: %v\n%s", c.mode, c.from, v.Refusal, v.Head)
		}
	}
	for _, trusted := range []string{"192.0.2.0/24", "192.0.2.1"} {
		v := look(t, settings(t, "dmarc", "refuse", "trustedforwarders", trusted), z, received("SMTP")+text)
		if v.Refusal != nil || strings.Contains(string(v.Head), Marker) {
			t.Errorf("%s: %v\n%s", trusted, v.Refusal, v.Head)
		}
	}
}

func TestSPFBehaviorHasItsSteps(t *testing.T) {
	for record, step := range map[string]int{
		"down": 2, "v=spf1 -all": 3, "v=spf1 wrong": 3, "v=spf1 ~all": 4, "v=spf1 ?all": 5, "": 6, "v=spf1 +all": 7,
	} {
		z := zone{}
		if record != "" {
			z["a.test"] = record
		}
		for n := range 7 {
			v := look(t, settingsIn(t, []string{"SPFBEHAVIOR=" + string(rune('0'+n))}), z, received("SMTP")+text)
			if (v.Refusal != nil) != (n >= step) {
				t.Errorf("%q, %d: %v", record, n, v.Refusal)
			}
			if strings.Contains(string(v.Head), "Received-SPF:") != (n > 0 && n < step) {
				t.Errorf("%q, %d: %s", record, n, v.Head)
			}
		}
	}
}

func TestWhoIsKnownIsNotChecked(t *testing.T) {
	z := zone{"a.test": "v=spf1 -all", "_dmarc.a.test": "v=DMARC1; p=reject"}
	for _, top := range []string{received("ESMTPSA (TLS1.3)"), received("SMTP (relay client)"), "Subject: x\n"} {
		if v := look(t, settings(t, "dmarc", "refuse", "spfbehavior", "6"), z, top+text); v.Refusal != nil || v.Head != nil {
			t.Errorf("%q: %v %s", top, v.Refusal, v.Head)
		}
	}
}

func TestResultsThatAreClaimedInOurNameAreRemoved(t *testing.T) {
	s := settings(t)
	long := strings.Repeat(" x\n", 40_000)
	message := received("SMTP") + "Authentication-Results: ME.test; spf=pass\n" +
		"AUTHENTICATION-RESULTS\t:\n (x)\n me.test 1; x\n" +
		"Authentication-Results: other.test; spf=pass\n a\nX: y\nAuthentication-Results: other.test;\n" + long + text +
		"Authentication-Results: me.test; in the body\n"
	want := received("SMTP") + "Authentication-Results: other.test; spf=pass\n a\nX: y\n" + text +
		"Authentication-Results: me.test; in the body\n"
	for _, size := range []int{1, 7, 1 << 20} {
		var m filter.Spool
		m.ReadFrom(&pieces{message, size})
		var b bytes.Buffer
		if err := s.Copy(&b, &m); err != nil || b.String() != want {
			t.Errorf("%d: %v %q", size, err, b.String()[:min(2000, b.Len())])
		}
	}
}

// pieces is a reader of so many bytes at a time.
type pieces struct {
	s    string
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	n := copy(b, p.s[:min(p.size, len(p.s))])
	p.s = p.s[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestALongMessageIsKeptWhole(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	long := received("SMTP") + text + strings.Repeat("0123456789abcdef\n", 200_000)
	var m filter.Spool
	if _, err := m.ReadFrom(strings.NewReader(long)); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var b bytes.Buffer
	if err := settings(t).Copy(&b, &m); err != nil || b.String() != long {
		t.Errorf("%v, %d bytes of %d", err, b.Len(), len(long))
	}
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("From: Joe <joe@a.test>\nAuthentication-Results: me.test; x\n y\n\nbody\n")
	f.Add("From: a@b.c, d@e.f\nFrom\n:")
	s := settings(f)
	f.Fuzz(func(t *testing.T, message string) {
		look(t, s, zone{}, received("SMTP")+message)
		look(t, s, zone{}, message)
		var m filter.Spool
		m.ReadFrom(strings.NewReader(message))
		var b bytes.Buffer
		if err := s.Copy(&b, &m); err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut("\n"+b.String(), "\n\n")
		for line := range strings.SplitSeq(head, "\n") {
			name, value, _ := strings.Cut(strings.ToLower(line), ":")
			if strings.TrimRight(name, " \t") == "authentication-results" && strings.TrimSpace(value) == "me.test" {
				t.Errorf("%q keeps %q", message, line)
			}
		}
	})
}
