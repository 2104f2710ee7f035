package ascii

import (
	"strings"
	"testing"
)

func TestNothingInOneLineEndsIt(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	want := strings.Repeat("_", 32) + string(all[32:127]) + "_" + string(all[128:])
	if got := OneLine(string(all)); got != want || OneLine(want) != want || OneLine("") != "" {
		t.Errorf("%q", got)
	}
}

func TestAStarStandsForAnything(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "x", false}, {"*", "", true}, {"**", "x", true}, {"A", "a", true}, {"a", "ab", false},
		{"a*", "abc", true}, {"*c", "abc", true}, {"a*c", "abbc", true}, {"a*c", "ab", false}, {"a*a", "a", false},
		{"*a*b*", "xaxbx", true}, {"*a*b*", "xbxax", false}, {"a*b*c", "axxbyyc", true}, {"a*b*c", "acb", false},
		{"*@far.test", "x@FAR.test", true}, {"*@far.test", "x@far.test.", false},
	} {
		if Match(c.pattern, c.s) != c.want {
			t.Errorf("%q, %q", c.pattern, c.s)
		}
	}
}
