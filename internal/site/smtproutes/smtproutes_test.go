package smtproutes

import (
	"strings"
	"testing"
)

func TestARouteMayEndInALogin(t *testing.T) {
	for route, want := range map[string]Route{
		"":                       {"", 25, Login{}},
		"relay":                  {"relay", 25, Login{}},
		"relay:26":               {"relay", 26, Login{}},
		":465":                   {"", 465, Login{}},
		"relay:x":                {"relay", 0, Login{}},
		"::1":                    {"::1", 25, Login{}},
		"[::1]:26":               {"[::1]", 26, Login{}},
		"relay:587 joe secret":   {"relay", 587, Login{"joe", "secret"}},
		"relay:587  joe  a b":    {"relay", 587, Login{"joe", "a b"}},
		"relay joe secret":       {"relay", 25, Login{"joe", "secret"}},
		"relay:465|joe|sec|ret ": {"relay", 465, Login{"joe", "sec|ret "}},
		"relay|joe@x|a b":        {"relay", 25, Login{"joe@x", "a b"}},
		"[::1]:26|joe|x":         {"[::1]", 26, Login{"joe", "x"}},
		"relay|joe":              {"relay", 25, Login{"joe", ""}},
		"relay:25|":              {"relay", 25, Login{}},
	} {
		if got := Parse(route); got != want {
			t.Errorf("%q: %+v, want %+v", route, got, want)
		}
	}
}

func TestAMaskedLineHasNoPassword(t *testing.T) {
	for line, want := range map[string]string{
		"a.test:relay:26":            "a.test:relay:26",
		":relay:587 joe secret":      ":relay:587 joe (password)",
		"a@b:relay:465|joe|sec|ret":  "a@b:relay:465|joe|(password)",
		"a@b:relay:465|joe":          "a@b:relay:465|joe(password)",
		":relay:587 joe secret word": ":relay:587 joe (password)",
	} {
		if got, masked := Masked(line); got != want || masked != strings.Contains(want, "(") {
			t.Errorf("%q: %q, %v", line, got, masked)
		}
	}
}

func FuzzRoute(f *testing.F) {
	for _, s := range []string{"relay", "relay:26", "[::1]:26", "[::1", ":26", "]:", "[]:x", "a:b:c", "a|b|c", "a b c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, route string) {
		r := Parse(route)
		if !strings.HasPrefix(route, r.Relay) || r.Relay == route && r.Port != Port || strings.ContainsAny(r.Relay, " \t|") {
			t.Errorf("%q: %+v", route, r)
		}
		if r.Login.Password != "" && r.Login.Password != "(password)" {
			if text, ok := Masked(":" + route); !ok || !strings.HasSuffix(text, "(password)") {
				t.Errorf("%q: %q", route, text)
			}
		}
	})
}
