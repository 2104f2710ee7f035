package users

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"qmail/internal/text/cdb"
)

const assign = `=joe:joe:500:501:/home/joe:::
+joe-:joe:500:501:/home/joe:-::
+joe-list-:lists:600:601:/home/lists:-:joe-list-:
=Sam:sam:502:502:/home/sam:-:pre:
+:alias:7:8:/var/qmail/alias:-::
.
ignored
`

// compile makes users/cdb of an assign file and returns its path.
func compile(t testing.TB, assign string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cdb")
	w, err := cdb.Create(path + ".tmp")
	if err != nil {
		t.Fatal(err)
	}
	if err := Build(strings.NewReader(assign), w); err != nil {
		w.Abort()
		return "", err
	}
	return path, w.Commit(path)
}

func TestAnAddressGoesToItsOwnEntryThenTheLongestWildcard(t *testing.T) {
	goesWhereItShould(t, assign)
}

func TestWhatAnEditorLeavesAtTheEndsOfLinesChangesNoEntry(t *testing.T) {
	for _, end := range []string{"\r\n", " \t\n", " \r\n"} {
		goesWhereItShould(t, strings.ReplaceAll(assign, "\n", end))
	}
}

func goesWhereItShould(t *testing.T, assign string) {
	t.Helper()
	path, err := compile(t, assign)
	if err != nil {
		t.Fatal(err)
	}
	for local, want := range map[string]User{
		"joe":          {"joe", 500, 501, "/home/joe", "", ""},
		"JOE":          {"joe", 500, 501, "/home/joe", "", ""},
		"joe-Ext":      {"joe", 500, 501, "/home/joe", "-", "Ext"},
		"joe-":         {"joe", 500, 501, "/home/joe", "-", ""},
		"Joe-List-Own": {"lists", 600, 601, "/home/lists", "-", "joe-list-Own"},
		"sam":          {"sam", 502, 502, "/home/sam", "-", "pre"},
		"Nobody":       {"alias", 7, 8, "/var/qmail/alias", "-", "Nobody"},
		"joey":         {"alias", 7, 8, "/var/qmail/alias", "-", "joey"},
	} {
		u, ok, err := Lookup(path, local)
		if err != nil || !ok || u != want {
			t.Errorf("%q: %+v %v %v", local, u, ok, err)
		}
	}
}

func TestWithoutAnEntryOrWithoutTheFileTheAddressIsNotKnownHere(t *testing.T) {
	path, err := compile(t, "=joe:joe:500:501:/home/joe:::\n.\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Join(t.TempDir(), "none")} {
		if _, ok, err := Lookup(p, "sam"); ok || err != nil {
			t.Errorf("%s: %v %v", p, ok, err)
		}
	}
}

func TestADamagedFileIsAnErrorAndNeverAnUnknownUser(t *testing.T) {
	path, err := compile(t, assign)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "cdb")
	for n := range len(b) {
		if err := os.WriteFile(bad, b[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if u, ok, err := Lookup(bad, "joe-x"); err == nil && (!ok || u.Name != "joe") {
			t.Fatalf("%d bytes: %+v %v", n, u, ok)
		}
	}
	if _, _, err := Lookup(t.TempDir(), "joe"); err == nil {
		t.Error("a folder is taken for a file")
	}
}

func TestAnEntryWithoutProperNumbersIsAnError(t *testing.T) {
	for _, ids := range []string{"x:1", "1:", ":1", "-1:1", "+1:1", "4294967295:1", "1:99999999999", "1x:1"} {
		path, err := compile(t, "=joe:joe:"+ids+":/home/joe:::\n.\n")
		if err != nil {
			t.Fatal(err)
		}
		if u, ok, err := Lookup(path, "joe"); err == nil {
			t.Errorf("%q: %+v %v", ids, u, ok)
		}
	}
}

func TestAssignIsRefusedUnlessEveryLineIsAnEntryAndTheLastADot(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, bad := range []string{
		"", "\n.\n", "=joe\n.\n", "=joe:joe:1:1:/:-:\n.\n", "=joe:joe:1:1:/:::\n", ":a:b:c:d:e:f:\n.\n",
		"=joe:joe:1:1:/:::", "=joe:j\x00e:1:1:/:::\n.\n", "=" + long + ":joe:1:1:/:::\n.\n",
	} {
		if _, err := compile(t, bad); err != ErrFormat {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
	for _, good := range []string{".", ".\n", "=a:b:c:d:e:f:g:h:i:\n.x", "xa:b:c:d:e:f:g:\n.\nrubbish"} {
		if _, err := compile(t, good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func TestTroubleInReadingAssignIsToldFromItsFaults(t *testing.T) {
	err := Build(iotest.ErrReader(io.ErrClosedPipe), &discard{})
	if in, ok := errors.AsType[*InputError](err); !ok || !errors.Is(in, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
	if err := Build(strings.NewReader(assign), &discard{io.ErrShortWrite}); err != io.ErrShortWrite {
		t.Errorf("%v", err)
	}
}

type discard struct{ err error }

func (d *discard) Add(_, _ []byte) error { return d.err }

func FuzzAssignToLookup(f *testing.F) {
	f.Add(assign, "joe-list-x")
	f.Add(".\n", "joe")
	f.Add("+:a:1:1:/:-::\n.\n", "")
	f.Add("=joe:joe:1:1:/:::\n", "joe")
	f.Fuzz(func(t *testing.T, text, local string) {
		path, err := compile(t, text)
		if err != nil {
			return
		}
		u, ok, err := Lookup(path, local)
		if ok && (err != nil || u.Name == "" || u.UID < 0 || u.GID < 0) {
			t.Errorf("%+v %v", u, err)
		}
	})
}

func FuzzGetpwAnswer(f *testing.F) {
	f.Add([]byte("joe\x00500\x00501\x00/home/joe\x00-\x00ext\x00"))
	f.Add([]byte("joe\x00500\x00501\x00/home/joe\x00\x00\x00more"))
	f.Add([]byte("joe\x00-1\x00501\x00/home/joe\x00\x00\x00"))
	f.Add([]byte("joe\x00500\x00501"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := ParseUser(b)
		if err != nil {
			return
		}
		again, err := ParseUser(u.Append(nil))
		if err != nil || again != u {
			t.Errorf("%+v, then %+v %v", u, again, err)
		}
		if n := bytes.Count(u.Append(nil), []byte{0}); n != fields {
			t.Errorf("%d strings", n)
		}
	})
}

func TestAnAnswerThatIsNotSixProperStringsIsRefused(t *testing.T) {
	for _, bad := range []string{
		"", "joe\x00", "joe\x001\x002\x00/\x00-\x00ext", "\x001\x002\x00/\x00-\x00\x00", "joe\x00\x002\x00/\x00-\x00\x00",
		"joe\x001 \x002\x00/\x00-\x00\x00", "joe\x004294967295\x002\x00/\x00-\x00\x00", "joe\x001_0\x002\x00/\x00-\x00\x00",
	} {
		if u, err := ParseUser([]byte(bad)); err == nil {
			t.Errorf("%q: %+v", bad, u)
		}
	}
}
