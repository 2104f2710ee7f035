package getopt

import (
	"strings"
	"testing"
)

func TestOptionsEndWhereGetoptEndsThem(t *testing.T) {
	for _, c := range []struct{ args, found, rest, mistake string }{
		{"", "", "", ""},
		{"a -b", "", "a -b", ""},
		{"-ab x", "ab", "x", ""},
		{"-a -b x -a", "ab", "x -a", ""},
		{"-a - -b", "a", "- -b", ""},
		{"-a -- -b", "a", "-b", ""},
		{"-cvalue -a", "c=value,a", "", ""},
		{"-c value -a", "c=value,a", "", ""},
		{"-c -- -a", "c=--,a", "", ""},
		{"-acb", "ac=b,", "", ""},
		{"-ax y", "a", "y", "p: illegal option -- x"},
		{"-:", "", "", "p: illegal option -- :"},
		{"-a-", "a", "", "p: illegal option -- -"},
		{"-a\xff", "a", "", "p: illegal option -- \xff"},
		{"-d x", "d=,", "x", ""},
		{"-adx y", "ad=x,", "y", ""},
		{"-ac", "a", "", "p: option requires an argument -- c"},
	} {
		o := New("p", strings.Fields(c.args), "abd::c:")
		found := ""
		for o.Next() {
			found += string(rune(o.Letter))
			if o.Letter == 'c' || o.Letter == 'd' {
				found += "=" + o.Value + ","
			}
		}
		if rest := strings.Join(o.Rest(), " "); found != c.found || rest != c.rest || o.Mistake != c.mistake {
			t.Errorf("%q: options %q, rest %q, mistake %q", c.args, found, rest, o.Mistake)
		}
	}
}

func TestAnEmptyArgumentOfAnOptionIsOne(t *testing.T) {
	o := New("p", []string{"-c", "", "x"}, "c:")
	if !o.Next() || o.Value != "" || o.Next() || len(o.Rest()) != 1 {
		t.Errorf("%+v", o)
	}
}
