package lists

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/site/control"
	"qmail/internal/smtp/smtpd"
)

func door(t *testing.T, files map[string]string) *Door {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Open(control.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhatTheListsNameIsRefused(t *testing.T) {
	d := door(t, map[string]string{
		"badhelo": "localhost\n", "badhelonorelay": "our.test\n", "badrcptto": "Gone@m.test\n@old.test\n",
		"badrcpttonorelay": "staff@m.test\n", "badmailfromnorelay": "@m.test\nboss@far.test\n",
		"badmailfrompatterns": "*@*.spam.test\n!good@*\n", "badrcptpatterns": "*%*\n",
	})
	for _, c := range []struct {
		stage  smtpd.Stage
		v      smtpd.Visit
		prefix string
	}{
		{smtpd.AtHelo, smtpd.Visit{Helo: "LocalHost"}, "550 "},
		{smtpd.AtHelo, smtpd.Visit{Helo: "localhost", Relays: true}, "550 "},
		{smtpd.AtHelo, smtpd.Visit{Helo: "our.test"}, "550 "},
		{smtpd.AtHelo, smtpd.Visit{Helo: "our.test", Relays: true}, ""},
		{smtpd.AtHelo, smtpd.Visit{Helo: "x.test"}, ""},
		{smtpd.AtMail, smtpd.Visit{Sender: "a@x.spam.test"}, ""},
		{smtpd.AtRcpt, smtpd.Visit{Sender: "a@x.spam.test", Recipient: "ann@m.test"}, "553 "},
		{smtpd.AtRcpt, smtpd.Visit{Sender: "good@x.spam.test", Recipient: "ann@m.test"}, ""},
		{smtpd.AtRcpt, smtpd.Visit{Sender: "ann@M.test", Recipient: "ann@m.test"}, "553 "},
		{smtpd.AtRcpt, smtpd.Visit{Sender: "ann@m.test", Recipient: "ann@m.test", Relays: true}, ""},
		{smtpd.AtRcpt, smtpd.Visit{Sender: "boss@far.test", Recipient: "ann@m.test"}, "553 "},
		{smtpd.AtRcpt, smtpd.Visit{Sender: "clerk@far.test", Recipient: "ann@m.test"}, ""},
		{smtpd.AtRcpt, smtpd.Visit{Recipient: "gone@M.test"}, "553 "},
		{smtpd.AtRcpt, smtpd.Visit{Recipient: "any@old.test"}, "553 "},
		{smtpd.AtRcpt, smtpd.Visit{Recipient: "staff@m.test"}, "553 "},
		{smtpd.AtRcpt, smtpd.Visit{Recipient: "staff@m.test", Relays: true}, ""},
		{smtpd.AtRcpt, smtpd.Visit{Recipient: "a%b@m.test"}, "553 "},
		{smtpd.AtRcpt, smtpd.Visit{Recipient: "postmaster"}, ""},
	} {
		if got := d.Admit(c.stage, &c.v); !strings.HasPrefix(got, c.prefix) || (got == "") != (c.prefix == "") {
			t.Errorf("%+v: %q", c.v, got)
		}
	}
	if d := door(t, map[string]string{"badrcptto": "# nobody\n"}); d != nil {
		t.Errorf("a door without a list: %+v", d)
	}
}

func TestAPatternFitsAWholeAddress(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"a*c", "abbc", true}, {"a*c", "abcd", false}, {"*", "", true}, {"?", "", false}, {"a?c", "aBc", true},
		{"[a-c]x", "Bx", true}, {"[^a-c]x", "bx", false}, {"[^a-c]x", "dx", true}, {"[]]", "]", true}, {"[a", "[a", true},
		{`\*`, "*", true}, {`\*`, "a", false}, {`a\`, `a\`, true}, {"*@*.test", "x@y.test", true}, {"a**b", "ab", true},
		{"[a-]", "-", true}, {"*a*b*c", "xaybzc", true}, {"", "", true}, {"", "a", false},
	} {
		if got := fits(c.pattern, c.s); got != c.want {
			t.Errorf("%q, %q: %v", c.pattern, c.s, got)
		}
	}
}

func TestNoPatternIsABomb(t *testing.T) {
	began := time.Now()
	for range 100 {
		if fits(strings.Repeat("*a", 500)+"b", strings.Repeat("a", 1000)) {
			t.Fatal("it fits")
		}
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("%v", d)
	}
}

func FuzzFits(f *testing.F) {
	f.Add("*[a-z]?\\", "abc")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if _, any := fits(pattern, s), fits("*", s); !any || !fits("*"+literal(s)+"*", s) || !fits(literal(s), s) {
			t.Errorf("%q does not fit itself", s)
		}
	})
}

// literal is a pattern for a text alone.
func literal(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteString(`\` + s[i:i+1])
	}
	return b.String()
}
