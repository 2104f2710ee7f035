package sts

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const usual = "version: STSv1\r\nmode: enforce\r\nmx: mx.a.test\r\nmx: *.b.test\r\nmax_age: 86400\r\n"

func TestAPolicyIsReadAsTheRFCHasIt(t *testing.T) {
	for text, want := range map[string]error{
		usual:                                                               nil,
		strings.ReplaceAll(usual, "\r", ""):                                 nil,
		usual + "x: y\nmode: none\nnonsense\n":                              nil,
		"version:STSv1\nmode:testing\nmx:a\nmax_age:0":                      nil,
		"version: STSv1\nmode: none\nmax_age: 86400\n":                      nil,
		"version: STSv2\nmode: none\nmax_age: 86400\n":                      errVersion,
		"mode: none\nmax_age: 86400\n":                                      errVersion,
		"version: STSv1\nmode: Enforce\nmx: a\nmax_age: 1":                  errMode,
		"version: STSv1\nmx: a\nmax_age: 1":                                 errMode,
		"version: STSv1\nmode: enforce\nmax_age: 1":                         errMX,
		"version: STSv1\nmode: enforce\nmx: a..b\nmax_age: 1":               errMX,
		"version: STSv1\nmode: enforce\nmx: a.*.b\nmax_age: 1":              errMX,
		"version: STSv1\nmode: enforce\nmx: *\nmax_age: 1":                  errMX,
		"version: STSv1\nmode: enforce\nmx: a\nmax_age: ":                   errMaxAge,
		"version: STSv1\nmode: enforce\nmx: a\nmax_age: 1x":                 errMaxAge,
		"version: STSv1\nmode: enforce\nmx: a\nmax_age: -1":                 errMaxAge,
		"version: STSv1\nmode: enforce\nmx: a\nmax_age: 99999999999":        errMaxAge,
		usual + strings.Repeat("x", MaxPolicy):                              errTooLong,
		"version: STSv1\nmode: none\n" + strings.Repeat("mx: a\n", maxMX+1): errMX,
	} {
		if p, err := Parse([]byte(text)); err != want || err == nil && p.MaxAge > maxAge {
			t.Errorf("%.60q: %v, want %v", text, err, want)
		}
	}
	p, _ := Parse([]byte(usual))
	for host, want := range map[string]bool{
		"mx.a.test": true, "MX.A.TEST": true, "x.b.test": true, "b.test": false, "x.y.b.test": false, "a.test": false,
		"x.mx.a.test": false, "": false,
	} {
		if p.Allows(host) != want {
			t.Errorf("%s: %v", host, !want)
		}
	}
}

func TestOnlyOneRecordSpeaksOfAPolicy(t *testing.T) {
	for _, c := range []struct {
		records []string
		id      string
		ok      bool
	}{
		{[]string{"v=STSv1; id=20260101T1;"}, "20260101T1", true},
		{[]string{"spf", "v=STSv1;id=a"}, "a", true},
		{[]string{"v=STSv1; x=y; id=a ; id=b"}, "a", true},
		{[]string{"v=STSv1; id=a", "v=STSv1; id=a"}, "", false},
		{[]string{"v=STSv1; id=" + strings.Repeat("a", 33)}, "", false},
		{[]string{"v=STSv1; id=a-b"}, "", false},
		{[]string{"v=STSv1"}, "", false},
		{[]string{"v=STSv10; id=a", " v=STSv1; id=a", "V=STSv1; id=a"}, "", false},
		{nil, "", false},
	} {
		if id, ok := ID(c.records); ok != c.ok || ok && id != c.id {
			t.Errorf("%q: %q, %v", c.records, id, ok)
		}
	}
}

func TestWhatIsKeptComesBackUntilItIsTooOld(t *testing.T) {
	c, now := Cache(t.TempDir()), time.Unix(1e9, 0)
	e := Entry{ID: "x1", Text: []byte(usual), Fetched: now, Tried: now.Add(-time.Hour)}
	if err := c.Put("A.test", e); err != nil {
		t.Fatal(err)
	}
	got, err := c.Get("a.TEST")
	if err != nil || got.ID != e.ID || !bytes.Equal(got.Text, e.Text) || !got.Fetched.Equal(now) ||
		!got.Tried.Equal(e.Tried) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, x := range []struct {
		after      time.Duration
		id         string
		valid, due bool
	}{
		{0, "x1", true, false}, {0, "x2", true, true}, {24*time.Hour - 1, "x1", true, false},
		{24 * time.Hour, "x1", false, true}, {-time.Second, "x1", false, true},
	} {
		_, valid := got.Valid(now.Add(x.after))
		if due := got.Due(x.id, now.Add(x.after)); valid != x.valid || due != x.due {
			t.Errorf("%v later, id %s: valid %v, due %v", x.after, x.id, valid, due)
		}
	}
	got.Tried = now
	if got.Due("x2", now.Add(Patience-1)) || !got.Due("x2", now.Add(Patience)) {
		t.Error("a fetch that failed is repeated too early, or too late")
	}
	for _, domain := range []string{"", "../a", "a/b", "a..b", ".", strings.Repeat("a.", 101) + "a"} {
		if c.Put(domain, e) == nil {
			t.Errorf("%q has a file", domain)
		}
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range maxEntries + 5 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("d%d.test", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Cache(dir).Put("new.test", Entry{}); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != maxEntries ||
		!slices.ContainsFunc(list, func(d os.DirEntry) bool { return d.Name() == "new.test" }) {
		t.Error(len(list), err)
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(usual))
	f.Add([]byte("x1 1 2\n" + usual))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := Parse(b); err == nil && (p.MaxAge < 0 || p.MaxAge > maxAge || p.Mode == Enforce && len(p.MX) == 0) {
			t.Errorf("%+v", p)
		}
		e, err := parseEntry(b)
		if err != nil {
			return
		}
		again, err := parseEntry(e.bytes())
		if err != nil || again.ID != e.ID || !bytes.Equal(again.Text, e.Text) {
			t.Errorf("%+v became %+v", e, again)
		}
		ID([]string{string(b)})
	})
}
