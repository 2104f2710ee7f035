package tlsroutes

import (
	"strings"
	"testing"
)

var print64 = strings.Repeat("0a", 32)

func TestALineThatMakesNoSenseIsAnEntryThatSaysSo(t *testing.T) {
	for line, want := range map[string]error{
		"a.test:encrypt":           nil,
		"a.test:ENCRYPT":           nil,
		":may":                     nil,
		".test:verify":             nil,
		"a:verify:b.test,.c":       nil,
		"[::1]:none":               nil,
		"a:fingerprint:" + print64: nil,
		"a:fingerprint:" + strings.Repeat("0A:", 31) + "0A," + print64: nil,
		"":                                errPolicy,
		"a.test":                          errPolicy,
		"a.test:":                         errPolicy,
		"a:encrypt ":                      errPolicy,
		"[::1:none":                       errPolicy,
		"a:require":                       errPolicy,
		"a:may:":                          errArgument,
		"a:encrypt:b":                     errArgument,
		"a:verify:":                       errName,
		"a:verify:b..c":                   errName,
		"a:verify:b,":                     errName,
		"a:verify:*.b":                    errName,
		"a:fingerprint":                   errPrint,
		"a:fingerprint:":                  errPrint,
		"a:fingerprint:0a":                errPrint,
		"a:fingerprint:" + print64 + "0a": errPrint,
	} {
		if e := Parse(line); e.Bad != want {
			t.Errorf("%q: %v, want %v", line, e.Bad, want)
		}
	}
}

func TestTheMostSpecificLineCounts(t *testing.T) {
	table := New([]string{"a.b.test:none", ".b.test:may", ".test:encrypt", ":verify", "A.B.test:verify",
		"[10.0.0.1]:fingerprint:x", "mx.other:none", "[2001:db8::1]:may"})
	for _, c := range []struct {
		names []string
		exact bool
		want  Policy
	}{
		{[]string{"a.b.test"}, true, None},
		{[]string{"A.B.TEST"}, true, None},
		{[]string{"x.b.test"}, false, May},
		{[]string{"b.test"}, false, Encrypt},
		{[]string{"test"}, false, Verify},
		{[]string{"x.y.b.test", "x.test"}, false, May},
		{[]string{"x.test", "x.y.b.test"}, false, May},
		{[]string{"x.test", "mx.other"}, true, None},
		{[]string{"x", "10.0.0.1"}, true, Fingerprint},
		{[]string{"x", "[10.0.0.1]"}, true, Fingerprint},
		{[]string{"2001:db8::1"}, true, May},
		{[]string{""}, false, Verify},
	} {
		e, exact := table.Exact(c.names...)
		if !exact {
			e, _ = table.Suffix(c.names...)
		}
		if exact != c.exact || e.Policy != c.want {
			t.Errorf("%q: exact %v, %v", c.names, exact, e.Policy)
		}
	}
	if _, ok := New(nil).Suffix("a.test"); ok {
		t.Error("an empty table has an entry")
	}
}

func FuzzRoutes(f *testing.F) {
	for _, l := range []string{"a:verify:b,.c", ":may", "[::1]:none", "a:fingerprint:" + print64, "a::", "]:["} {
		f.Add(l, "a.b")
	}
	f.Fuzz(func(t *testing.T, line, name string) {
		e := Parse(line)
		if e.Bad == nil && (e.Policy == Fingerprint) != (len(e.Prints) > 0) {
			t.Errorf("%q: %d prints", line, len(e.Prints))
		}
		for _, p := range e.Prints {
			if len(p) != 32 {
				t.Errorf("%q: a print of %d bytes", line, len(p))
			}
		}
		table := New([]string{line, line})
		if got, ok := table.Exact(name); ok && got.Key != e.Key {
			t.Errorf("%q found %q", name, got.Key)
		}
		if got, ok := table.Suffix(name); ok && got.Key != e.Key {
			t.Errorf("%q found %q", name, got.Key)
		}
	})
}
