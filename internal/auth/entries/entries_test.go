package entries

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/auth/scram"
	"qmail/internal/text/cdb"
)

func key(t *testing.T, password string) scram.Key {
	t.Helper()
	k, err := scram.NewKey([]byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func build(t *testing.T, path, text string, secret []byte) {
	t.Helper()
	w, err := cdb.Create(path + ".tmp")
	if err != nil {
		t.Fatal(err)
	}
	if err := Build(strings.NewReader(text), secret, w.Add); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(path); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsInTheTextIsFoundInTheDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.cdb")
	text := "# who may send\n\n" + string(Line("Joe@Example.com", key(t, "pw"))) + string(Line("ann", key(t, "word")))
	build(t, path, text, nil)
	for name, password := range map[string]string{"joe@example.com": "pw", "JOE@example.COM": "pw", "ann": "word"} {
		user, k, ok, err := Find(path, name)
		if user != strings.ToLower(name) || !ok || err != nil || !k.Check([]byte(password)) || k.Check([]byte("x")) {
			t.Errorf("%s: %q %v %v", name, user, ok, err)
		}
	}
	_, before, ok, err := Find(path, "eve")
	if ok || err != nil || before.Check(nil) {
		t.Errorf("eve: %v %v", ok, err)
	}
	// A new database answers for a name that is not there as the old one did, or who asks twice sees which are.
	secret := Secret(path)
	build(t, path, text, secret)
	if _, after, _, _ := Find(path, "EVE"); after.String() != before.String() || after.String() == "" {
		t.Error("the salt of a name that is not there has changed")
	}
	if _, _, ok, err := Find(path, ""); ok || err != nil {
		t.Errorf("the empty name: %v %v", ok, err)
	}
}

func TestADatabaseThatCannotBeReadIsAnErrorAndNobodysPassword(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "auth.cdb")
	if _, _, ok, err := Find(path, "joe"); ok || !os.IsNotExist(err) {
		t.Errorf("%v %v", ok, err)
	}
	for _, text := range []string{"", "x", strings.Repeat("\x00", 2048), strings.Repeat("\xff", 4096)} {
		os.WriteFile(path, []byte(text), 0o600)
		if _, _, ok, err := Find(path, "joe"); ok || err == nil {
			t.Errorf("%.10q: %v %v", text, ok, err)
		}
	}
	w, _ := cdb.Create(path)
	w.Add(nil, make([]byte, secretSize))
	w.Add([]byte("joe"), []byte("{PLAIN}pw"))
	w.Commit(path)
	if _, _, ok, err := Find(path, "joe"); ok || err == nil {
		t.Errorf("an entry that is none: %v %v", ok, err)
	}
}

func TestALineThatIsWrongIsNamed(t *testing.T) {
	good := string(Line("joe", key(t, "pw")))
	for text, line := range map[string]int{
		"joe:pw\n": 1, "\n#\njoe\n": 3, good + ":" + good: 2, good + good: 2, good + "JOE" + good[3:]: 2,
		good + " " + good:  2,
		"joe :" + good[4:]: 1, good + strings.Repeat("x", maxLine+1) + "\n": 2, "j\x01oe" + good[3:]: 1,
		good[:len(good)-3] + "\n": 1,
	} {
		err := Build(strings.NewReader(text), nil, func(k, v []byte) error { return nil })
		if e, ok := err.(*LineError); !ok || e.Line != line {
			t.Errorf("%.30q: %v", text, err)
		}
	}
	if err := Build(strings.NewReader("# x\r\n"+strings.TrimSuffix(good, "\n")), nil, func(k,
		v []byte) error {
		return nil
	}); err != nil {
		t.Error("without a newline at its end:", err)
	}
}

func TestAnEditChangesOneLine(t *testing.T) {
	a, b, c := string(Line("a", key(t, "1"))), string(Line("b", key(t, "2"))), string(Line("B", key(t, "3")))
	for _, e := range []struct {
		old, name, line, want string
		found                 bool
	}{
		{"", "a", a, a, false},
		{"# x\n" + a, "b", b, "# x\n" + a + b, false},
		{b + a, "B", c, c + a, true},
		{b + a, "b", "", a, true},
		{a, "b", "", a, false},
		{strings.TrimSuffix(a, "\n"), "b", b, a + b, false},
	} {
		var w bytes.Buffer
		found, err := Edit(&w, strings.NewReader(e.old), e.name, []byte(e.line))
		if w.String() != e.want || found != e.found || err != nil {
			t.Errorf("%q: %q %v %v", e.old, w.String(), found, err)
		}
	}
}

func FuzzBuild(f *testing.F) {
	f.Add("joe:SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" +
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n# x\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		n := 0
		err := Build(strings.NewReader(text), nil, func(key, value []byte) error {
			if n++; n > 1 && !IsName(key) {
				t.Errorf("%q is a name", key)
			}
			return nil
		})
		var w bytes.Buffer
		if _, e := Edit(&w, strings.NewReader(text), "", nil); (e == nil) != (err == nil) {
			t.Errorf("%v, and %v", err, e)
		}
	})
}
