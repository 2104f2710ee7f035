package users

import (
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/text/cdb"
)

// senders makes users/senders.cdb of a text.
func senders(t *testing.T, text string) Senders {
	t.Helper()
	dir := t.TempDir()
	s := Senders{Path: filepath.Join(dir, "senders.cdb"),
		Locals: func() ([]string, error) { return []string{"Here.test"}, nil }}
	if text == "" {
		return s
	}
	db, err := cdb.Create(s.Path + ".tmp")
	if err != nil {
		t.Fatal(err)
	}
	if err := BuildSenders(strings.NewReader(text), db); err != nil {
		t.Fatal(err)
	}
	if err := db.Commit(s.Path); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAUserMaySendAsItselfAndAsWhatTheFileSays(t *testing.T) {
	const text = "# who may\n\nJim:sales@x.test:@y.test \nboss:*\nnone:\nann@z.test:ann@here.test"
	for _, c := range []struct {
		text, login, address string
		want                 bool
	}{
		{"", "joe", "joe@here.test", true}, {"", "joe", "JOE-list@HERE.test", true}, {"", "joe", "joey@here.test", false},
		{"", "joe", "joe@x.test", false}, {"", "joe", "joe", false}, {"", "joe", "", false}, {"", "joe", "@here.test", false},
		{"", "", "@here.test", false}, {"", "@here.test", "@here.test", false}, {"", "@here.test", "-x@here.test", false},
		{"", "joe@x.test", "Joe@X.test", true}, {"", "joe@x.test", "joe-a@x.test", true},
		{"", "joe@x.test", "joe@y.test", false},
		{"", "joe@x.test", "joe@here.test", false}, {"", "joe", "joe@x@here.test", false},
		{text, "joe", "joe@here.test", true}, {text, "jim", "jim@here.test", false}, {text, "JIM", "Sales@x.test", true},
		{text, "jim", "any@y.test", true}, {text, "jim", "any@sub.y.test", false}, {text, "jim", "sales-x@x.test", false},
		{text, "boss", "anybody@anywhere.test", true}, {text, "boss", "anybody", false},
		{text, "none", "none@here.test", false},
		{text, "ann@z.test", "ann@here.test", true}, {text, "ann@z.test", "ann@z.test", false},
	} {
		if got, err := senders(t, c.text).May(c.login, c.address); got != c.want || err != nil {
			t.Errorf("%q as %q: %v, %v", c.login, c.address, got, err)
		}
	}
}

func TestAFileOfSendersThatMakesNoSenseMakesNoDatabase(t *testing.T) {
	for _, text := range []string{"joe", ":x@y", "joe:a@b\njoe:c@d\n", "joe:a\x00b@c\n", strings.Repeat("x", maxLine+1)} {
		db, err := cdb.Create(filepath.Join(t.TempDir(), "x"))
		if err != nil {
			t.Fatal(err)
		}
		if err := BuildSenders(strings.NewReader(text), db); err != ErrFormat {
			t.Errorf("%.20q: %v", text, err)
		}
		db.Abort()
	}
}

func FuzzSenders(f *testing.F) {
	f.Add("joe:a@b:@c\n#x\n", "joe", "a@b")
	f.Fuzz(func(t *testing.T, text, login, address string) {
		var m sink = map[string]string{}
		if BuildSenders(strings.NewReader(text), m) != nil {
			return
		}
		for k, v := range m {
			if k == "" || strings.ContainsAny(k+v, "\x00\n") {
				t.Errorf("%q: %q", k, v)
			}
		}
		Senders{Path: "/nonexistent", Locals: func() ([]string, error) { return nil, nil }}.May(login, address)
	})
}

type sink map[string]string

func (s sink) Add(key, value []byte) error {
	s[string(key)] = string(value)
	return nil
}
