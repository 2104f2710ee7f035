package control

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAWholeFileIsRead(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []int{0, 1, 511, 512, 513, 100_000} {
		text := strings.Repeat("x", n)
		if err := os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, ok, err := Dir(dir).Raw("f"); err != nil || !ok || string(b) != text {
			t.Errorf("%d bytes: %d, %v, %v", n, len(b), ok, err)
		}
	}
	if _, err := readFile(filepath.Join(dir, "f"), 99_999); err == nil {
		t.Error("a file over the limit was read")
	}
}

func TestOnlyAbsenceIsNoError(t *testing.T) {
	dir := t.TempDir()
	if _, ok, err := Dir(dir).Raw("absent"); ok || err != nil {
		t.Errorf("absent: %v, %v", ok, err)
	}
	os.Mkdir(filepath.Join(dir, "folder"), 0o700)
	os.Symlink("loop", filepath.Join(dir, "loop"))
	for _, name := range []string{"folder", "loop"} {
		if _, ok, err := Dir(dir).Raw(name); ok || err == nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
}

func TestMeIsReadOnce(t *testing.T) {
	dir := t.TempDir()
	me, own := filepath.Join(dir, "me"), filepath.Join(dir, "helohost")
	os.WriteFile(me, []byte("m.test\n"), 0o644)
	os.WriteFile(own, []byte("own.test\n"), 0o644)
	var m Me
	for i, c := range []struct{ name, want string }{{"helohost", "own.test"}, {"bouncehost", "m.test"},
		{"idhost", "m.test"}} {
		if s, ok, err := m.Text(Dir(dir), c.name); s != c.want || !ok || err != nil {
			t.Errorf("%s: %q, %v, %v", c.name, s, ok, err)
		}
		if i == 1 {
			os.Remove(me)
		}
	}
	if s, ok, err := Dir(dir).Text("idhost"); s != "idhost" || ok || err != nil {
		t.Errorf("%q, %v, %v", s, ok, err)
	}
}

func TestWhatAnEditorLeavesAtTheEndsOfLinesIsNoPartOfThem(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) { os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644) }
	for _, end := range []string{"\n", "\r\n", " \t\n", " \r\n", "\r \n", "\r", "\t", ""} {
		put("me", "m.test"+end)
		put("databytes", "12"+end)
		put("locals", "#a"+end+"\n"+end+"\nb.test"+end)
		s, _, err := Dir(dir).Text("helohost")
		if s != "m.test" || err != nil {
			t.Errorf("%q: %q, %v", end, s, err)
		}
		if n, err := Dir(dir).Int("databytes"); n != 12 || err != nil {
			t.Errorf("%q: %d, %v", end, n, err)
		}
		if l, _, err := Dir(dir).List("locals"); len(l) != 1 || l[0] != "b.test" || err != nil {
			t.Errorf("%q: %q, %v", end, l, err)
		}
	}
	for text, want := range map[string][2]bool{
		"": {}, "a\nb c\rd\n": {}, "a\nb": {}, "a\r\nb\n": {false, true}, "a\nb\t": {true, false}, "a \r\n": {true, true},
	} {
		if space, cr := Ends([]byte(text)); want != [2]bool{space, cr} {
			t.Errorf("%q: white space %v, CR %v", text, space, cr)
		}
	}
}

func TestMailOfWhoIsKnownGoesOnlyThroughFiltersForAll(t *testing.T) {
	dir := t.TempDir()
	text := "# filters\none\r\ntwo  all \n\nthree\tall\nfour allow\n"
	if err := os.WriteFile(filepath.Join(dir, "filters"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	filters, err := Dir(dir).Filters()
	if err != nil {
		t.Fatal(err)
	}
	for known, want := range map[bool]string{false: "one two three four", true: "two three"} {
		var way []string
		for name := ""; ; way = append(way, name) {
			if name = filters.After(name, known); name == "" {
				break
			}
		}
		if got := strings.Join(way, " "); got != want {
			t.Errorf("known %v: %q, want %q", known, got, want)
		}
	}
	if next := filters.After("one", true); next != "two" {
		t.Errorf("behind one that is for strangers: %q", next)
	}
	if next := filters.After("another", false); next != "" {
		t.Errorf("behind one that is not there: %q", next)
	}
}
