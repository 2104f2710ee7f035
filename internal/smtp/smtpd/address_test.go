package smtpd

import (
	"strings"
	"testing"
)

func TestAddressIsWhatStandsBetweenTheBrackets(t *testing.T) {
	for arg, want := range map[string]string{
		"": "", "FROM:": "", "FROM:<>": "", "FROM:<a@b>": "a@b", "FROM: <a@b>": "a@b", "FROM <a@b>": "a@b", "xyz<a@b>": "a@b",
		"FROM:a@b": "a@b", "FROM:  a@b": "a@b", "FROM:a@b junk": "a@b", "FROM:<a@b": "a@b", "FROM:<a@b><c@d>": "a@b",
		"FROM:<a@b> SIZE=100": "a@b", "FROM:<a b@c>": "a b@c", `FROM:<"a b"@c>`: "a b@c", `FROM:<"a>b"@c>`: "a>b@c",
		`FROM:<a\>b@c>`: "a>b@c", `FROM:<a\"b@c>`: `a"b@c`, `FROM:<a\`: "a", "FROM:<@x,@y:a@b>": "a@b", "FROM:<@x>": "",
		"FROM:@x:a@b": "a@b",
		"a@b":         "",
	} {
		if got, _, ok := parseAddress([]byte(arg)); !ok || got != want {
			t.Errorf("%q: %q, %v", arg, got, ok)
		}
	}
}

func TestAddressThatIsTooLongIsRefused(t *testing.T) {
	for n, want := range map[int]bool{maxAddress: true, maxAddress + 1: false, 100 * maxAddress: false} {
		if _, _, ok := parseAddress([]byte("FROM:<" + strings.Repeat("x", n) + ">")); ok != want {
			t.Errorf("%d bytes: %v", n, ok)
		}
	}
}

// modelAddress reads one byte at a time, with all that matters in one state.
func modelAddress(arg string) (string, bool) {
	inBrackets := strings.ContainsRune(arg, '<')
	var out []byte
	begun, blanks, route, quoted, escaped := false, !inBrackets, false, false, false
	for i := 0; i < len(arg); i++ {
		c := arg[i]
		if !begun {
			begun = inBrackets && c == '<' || !inBrackets && c == ':'
			if begun {
				for j := i + 1; j < len(arg); j++ {
					if arg[j] != ' ' || inBrackets {
						route = arg[j] == '@'
						break
					}
				}
			}
			continue
		}
		switch {
		case blanks && c == ' ':
			continue
		case route:
			blanks = false
			route = c != ':'
			continue
		}
		blanks = false
		if c < ' ' || c == 0x7f {
			return "", false
		}
		switch {
		case escaped:
			escaped = false
		case !quoted && (inBrackets && c == '>' || !inBrackets && c == ' '):
			return string(out), len(out) <= maxAddress
		case c == '\\':
			escaped = true
			continue
		case c == '"':
			quoted = !quoted
			continue
		}
		if out = append(out, c); len(out) > maxAddress {
			return "", false
		}
	}
	return string(out), true
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"FROM:<a@b>", "FROM:@x:a b", `:<"\>a>`, ": \x00", "<\x02", "<a\x7f>\x01", "<@a:@b:c>",
		"::@:", ":  @ :a", strings.Repeat("x", 900)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		got, _, ok := parseAddress([]byte(arg))
		want, wantOK := modelAddress(arg)
		if ok != wantOK || ok && got != want {
			t.Errorf("%q: %q, %v; want %q, %v", arg, got, ok, want, wantOK)
		}
	})
}
