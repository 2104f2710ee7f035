package authres

import (
	"strings"
	"testing"
)

func TestFieldSaysWhatWasFound(t *testing.T) {
	got := string(Append(nil, "mail.example.org", []Result{
		{Method: "spf", Value: "fail", Properties: []Property{{"smtp.mailfrom", "joe@a.example"}, {"smtp.helo", ""}}},
		{Method: "dkim", Value: "pass", Properties: []Property{{"header.d", "a.example"}, {"header.b", "aB/+"}}},
		{Method: "dmarc", Value: "fail", Comment: "p=reject"},
	}))
	want := "Authentication-Results: mail.example.org;\n  spf=fail smtp.mailfrom=joe@a.example;\n" +
		"  dkim=pass header.d=a.example header.b=\"aB/+\";\n  dmarc=fail (p=reject)\n"
	if got != want {
		t.Errorf("%s", got)
	}
	if got := string(Append(nil, "a.example", nil)); got != "Authentication-Results: a.example; none\n" {
		t.Error(got)
	}
}

func TestNoTextOfAStrangerEndsTheField(t *testing.T) {
	evil := "a\r\nX-Injected: y\x00\xff\"; dkim=pass\\ (" + strings.Repeat("x", 5000)
	got := string(Append(nil, "me", []Result{
		{Method: "spf", Value: "none", Comment: evil, Properties: []Property{{"smtp.mailfrom", evil}}}}))
	if strings.Count(got, "\n") != 2 || strings.ContainsAny(got, "\r\x00") || strings.IndexByte(got, 0xff) >= 0 ||
		len(got) > 1000 || !strings.Contains(got, `\"; dkim=pass\\ (`) {
		t.Errorf("%q", got)
	}
}

func TestForgedFieldsAreFound(t *testing.T) {
	for field, want := range map[string]bool{
		"Authentication-Results: me.example; spf=pass":                    true,
		"authentication-results:ME.example 1; spf=pass":                   true,
		"Authentication-Results : me.example;":                            true,
		"Authentication-Results:\n (a (nested\\) comment))\n me.example;": true,
		"Authentication-Results: \"me.example\"; spf=pass":                true,
		"Authentication-Results: \"m\\e.example\"; spf=pass":              true,
		"Authentication-Results: me.example.; spf=pass":                   true,
		"Authentication-Results: me.example(x); spf=pass":                 true,
		"Authentication-Results: me.example/1; spf=pass":                  true,
		"Authentication-Results: (never ends me.example;":                 true,
		"Authentication-Results: other.example; spf=pass me.example":      false,
		"Authentication-Results-X: me.example;":                           false,
		"Subject: me.example":                                             false,
	} {
		if Claims([]byte(field), "me.example") != want {
			t.Errorf("%q", field)
		}
	}
}

func FuzzField(f *testing.F) {
	f.Add(" (a)\n me.example 1; spf=pass")
	f.Fuzz(func(t *testing.T, text string) {
		// What we write of any text is found again as ours, in one field.
		b := string(Append(nil, "me.example", []Result{{Method: "spf", Value: "none", Comment: text,
			Properties: []Property{{"smtp.mailfrom", text}}}}))
		for _, line := range strings.SplitAfter(strings.TrimSuffix(b, "\n"), "\n")[1:] {
			if line[0] != ' ' {
				t.Errorf("%q", b)
			}
		}
		if !Claims([]byte(b), "me.example") {
			t.Errorf("%q", b)
		}
		Claims([]byte(FieldName+":"+text), "me.example")
	})
}
