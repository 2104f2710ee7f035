package smtpd

import (
	"strings"
	"testing"
)

func TestAParameterIsWhatTheClientSaid(t *testing.T) {
	_, rest, _ := parseAddress([]byte(
		`FROM:<"a > b"@c> size=12  BODY=8BITMIME X-NEW=1 <d@e> SMTPUTF8 ret=HDRS ENVID=`))
	got := parseParameters(rest)
	want := parameters{
		size:     parameter{given: true, valued: true, value: "12"},
		body:     parameter{given: true, valued: true, value: "8BITMIME"},
		smtpUTF8: parameter{given: true}, ret: parameter{given: true, valued: true, value: "HDRS"},
		envID: parameter{given: true, valued: true},
	}
	if got != want {
		t.Errorf("%+v", got)
	}
	_, rest, _ = parseAddress([]byte("TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b"))
	want = parameters{
		notify: parameter{given: true, valued: true, value: "SUCCESS,DELAY"},
		orcpt:  parameter{given: true, valued: true, value: "rfc822;a@b"},
	}
	if got := parseParameters(rest); got != want {
		t.Errorf("%+v", got)
	}
}

func TestAParameterThatIsTwiceThereTooLongOrMalformedIsWrong(t *testing.T) {
	for _, rest := range []string{
		"SIZE=1 SIZE=1", "size SIZE", "SIZE=\x01", "SIZE=1=2", "SIZE=\x7f", "SIZE=\x00",
		"SIZE=" + strings.Repeat("1", maxParameter),
	} {
		if got := parseParameters([]byte(rest)).size; got != (parameter{given: true, wrong: true}) {
			t.Errorf("%.40q: %+v", rest, got)
		}
	}
	for _, rest := range []string{"", " ", "SIZES=1", "SIZ=1", "=1", "X SIZ E", "\xc5\xbfize=1"} {
		if got := parseParameters([]byte(rest)); got != (parameters{}) {
			t.Errorf("%q: %+v", rest, got)
		}
	}
}

func FuzzParametersAreTheWordsThatWereSaid(f *testing.F) {
	f.Add("SIZE=1 BODY=7BIT smtputf8 RET=FULL ENVID=x NOTIFY=NEVER ORCPT=utf-8;\u00fc SIZE=2 =")
	f.Fuzz(func(t *testing.T, rest string) {
		p := parseParameters([]byte(rest))
		for name, got := range map[string]parameter{
			"size": p.size, "body": p.body, "smtputf8": p.smtpUTF8, "ret": p.ret, "envid": p.envID,
			"notify": p.notify, "orcpt": p.orcpt,
		} {
			var want parameter
			for _, word := range strings.Split(rest, " ") {
				n, value, valued := strings.Cut(word, "=")
				if !asciiFold(n, name) {
					continue
				}
				wrong := want.given || len(word) > maxParameter || strings.ContainsFunc(value, func(r rune) bool {
					return r < ' ' || r == '=' || r == 0x7f
				})
				if want = (parameter{given: true, valued: valued, value: value}); wrong {
					want = parameter{given: true, wrong: true}
				}
			}
			if got != want {
				t.Fatalf("%s in %q: %+v, want %+v", name, rest, got, want)
			}
		}
	})
}

func asciiFold(a, lower string) bool {
	if len(a) != len(lower) {
		return false
	}
	for i := range len(a) {
		if a[i]|0x20 != lower[i] && a[i] != lower[i] || a[i] < '0' {
			return false
		}
	}
	return true
}
