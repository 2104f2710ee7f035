package smtpd

import (
	"strings"
	"testing"
	"unicode/utf8"

	"qmail/internal/text/ascii"
)

func international(t *testing.T) *world {
	return newWorld(t, map[string]string{"me": "m.test\n", "rcpthosts": "ours.test\nbücher.test\n",
		"extensions": "smtputf8\n"})
}

func TestAnInternationalAddressNeedsSMTPUTF8(t *testing.T) {
	w := international(t)
	got, _ := w.say("EHLO c\r\nMAIL FROM:<jörg@x.test>\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<jörg@ours.test>\r\n" +
		"RSET\r\nMAIL FROM:<jörg@x.test> SMTPUTF8=1\r\nMAIL FROM:<a@x.test> SMTPUTF8 SMTPUTF8\r\n" +
		"RCPT TO:<a@ours.test>\r\nMAIL FROM:<jörg@x.test> smtputf8\r\nRCPT TO:<jörg@bücher.test>\r\n" +
		"RCPT TO:<ü@elsewhere.test>\r\nDATA\r\nSubject: ü\r\n\r\n.\r\n" +
		"MAIL FROM:<jörg@x.test>\r\nHELO c\r\nMAIL FROM:<jörg@x.test> SMTPUTF8\r\nQUIT\r\n")
	codes := make([]string, 0, 30)
	for line := range strings.Lines(got) {
		codes = append(codes, line[:4])
	}
	const want = "220 250-250-250-250 " + "553 250 553 " + "250 501 501 503 250 250 553 354 250 " +
		"553 250-250-250 553 221 "
	if all := strings.Join(codes, ""); all != want || !strings.Contains(got, "\r\n250-SMTPUTF8\r\n") ||
		strings.Count(got, needsUTF8) != 4 {
		t.Errorf("%s\n%s", all, got)
	}
	envelopes, texts := w.queued()
	if len(envelopes) != 1 || envelopes[0] != "Fjörg@x.test\x00Tjörg@bücher.test\x00\x00" ||
		!strings.Contains(texts[0], " with UTF8SMTP; ") {
		t.Errorf("%q %q", envelopes, texts)
	}
}

func TestAnInternationalAddressIsUTF8WithoutControls(t *testing.T) {
	w := international(t)
	for what, addr := range map[string]string{
		"C1": "a\u0085b", "CSI": "\u009b31m", "a bare byte": "\xfc", "overlong": "\xc0\xafx",
		"overlong slash": "\xe0\x80\xaf",
		"a surrogate":    "\xed\xa0\x80", "too high": "\xf4\x90\x80\x80", "a part": "\xe2\x82", "a continuation": "\x80",
		"overlong C1": "\xe0\x82\x85", "overlong NUL": "\xc0\x80",
	} {
		got, _ := w.say("EHLO c\r\nMAIL FROM:<" + addr + "@x.test> SMTPUTF8\r\nMAIL FROM:<> SMTPUTF8\r\nRCPT TO:<" + addr +
			"@ours.test>\r\nRCPT TO:<x@" + addr + ".ours.test>\r\nDATA\r\nQUIT\r\n")
		if strings.Count(got, noUTF8) != 3 || !strings.Contains(got, "503 RCPT first") {
			t.Errorf("%s: %q", what, got)
		}
	}
}

func TestWithoutTheWordAnAddressIsBytesAsItAlwaysWas(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "rcpthosts": "ours.test\n"})
	got, _ := w.say("EHLO c\r\nMAIL FROM:<j\xf6rg@x.test> SMTPUTF8=x\r\n" +
		"RCPT TO:<jörg@ours.test>\r\nDATA\r\n\r\n.\r\nQUIT\r\n")
	if envelopes, texts := w.queued(); strings.Contains(got, "UTF8") || len(envelopes) != 1 ||
		envelopes[0] != "Fj\xf6rg@x.test\x00Tjörg@ours.test\x00\x00" || !strings.Contains(texts[0], " with SMTP; ") {
		t.Errorf("%q %q", got, envelopes)
	}
}

func FuzzInternationalAddress(f *testing.F) {
	f.Add("jörg@bücher.test")
	f.Add("\xc0\x80")
	f.Add("\u0085")
	s := &session{}
	s.extensions = map[string]struct{}{"smtputf8": {}}
	f.Fuzz(func(t *testing.T, addr string) {
		got := s.unspeakable(addr, true) == ""
		want := ascii.IsASCII(addr) || utf8.ValidString(addr) && !strings.ContainsFunc(addr, func(r rune) bool {
			return r < ' ' || 0x7f <= r && r < 0xa0
		})
		if got != want || (s.unspeakable(addr, false) == "") != ascii.IsASCII(addr) {
			t.Errorf("%q: %v", addr, got)
		}
	})
}
