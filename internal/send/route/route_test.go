package route

import (
	"os"
	"path/filepath"
	"testing"

	"qmail/internal/queue"
	"qmail/internal/site/control"
)

func table(t *testing.T, files map[string]string) *Table {
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tab, err := Read(control.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func usual(t *testing.T) *Table {
	return table(t, map[string]string{
		"me":          "me.test\n",
		"locals":      "here.test\nph2.test\n",
		"envnoathost": "env.test\n",
		"percenthack": "ph.test\nph2.test\n",
		"virtualdomains": "v.test:vu\nJoe@v.test:ju\n.w.test:wu\nex.w.test:\nhere.test:never\nnocolon.test\n" +
			"long.x.test:lx\n.x.test:sx\n.test:all\n",
	})
}

func TestEachRecipientGoesTheWayThatTheControlFilesSay(t *testing.T) {
	tab := usual(t)
	for _, c := range []struct {
		in, out string
		ch      queue.Channel
	}{
		{"joe@here.test", "joe@here.test", queue.Local},
		{"JOE@HERE.Test", "JOE@HERE.Test", queue.Local},
		{"joe", "all-joe@env.test", queue.Local},
		{"a@b@here.test", "a@b@here.test", queue.Local},
		{"@here.test", "@here.test", queue.Local},
		{"joe%here.test@ph.test", "joe@here.test", queue.Local},
		{"joe%ph2.test%ph.test@ph.test", "joe@ph2.test", queue.Local},
		{"joe%far.example@PH.test", "joe@far.example", queue.Remote},
		{"joe@ph.test", "all-joe@ph.test", queue.Local},
		{"joe%x@far.example", "joe%x@far.example", queue.Remote},
		{"joe@v.test", "ju-joe@v.test", queue.Local},
		{"other@v.test", "vu-other@v.test", queue.Local},
		{"x@a.b.w.test", "wu-x@a.b.w.test", queue.Local},
		{"x@ex.w.test", "x@ex.w.test", queue.Remote},
		{"x@w.test", "all-x@w.test", queue.Local},
		{"x@long.x.test", "lx-x@long.x.test", queue.Local},
		{"x@other.x.test", "sx-x@other.x.test", queue.Local},
		{"x@example", "x@example", queue.Remote},
		{"", "all-postmaster@env.test", queue.Local},
	} {
		if out, ch := tab.Rewrite(c.in); out != c.out || ch != c.ch {
			t.Errorf("%q: got %q by %v, want %q by %v", c.in, out, ch, c.out, c.ch)
		}
	}
}

func TestWithoutLocalsOnlyMeIsLocal(t *testing.T) {
	tab := table(t, map[string]string{"me": "me.test\n", "virtualdomains": ":all\n"})
	for in, want := range map[string]string{"a@me.test": "a@me.test", "a": "a@me.test",
		"a@any.example": "all-a@any.example"} {
		if out, ch := tab.Rewrite(in); out != want || ch != queue.Local {
			t.Errorf("%q: got %q by %v", in, out, ch)
		}
	}
	none := table(t, nil)
	if out, ch := none.Rewrite("a"); out != "a@envnoathost" || ch != queue.Remote {
		t.Errorf("without control files: got %q by %v", out, ch)
	}
}

func TestRereadingChangesLocalsAndVirtualdomainsOnly(t *testing.T) {
	tab := usual(t)
	dir := t.TempDir()
	for _, f := range []string{"locals", "percenthack", "envnoathost"} {
		os.WriteFile(filepath.Join(dir, f), []byte("new.test\n"), 0o644)
	}
	n, err := tab.Reread(control.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]queue.Channel{"a@new.test": queue.Local, "a@here.test": queue.Remote,
		"a@v.test": queue.Remote, "a": queue.Remote} {
		if out, ch := n.Rewrite(in); ch != want {
			t.Errorf("%q: got %q by %v", in, out, ch)
		}
	}
	if out, _ := n.Rewrite("a%b@ph.test"); out != "a@b" {
		t.Errorf("percenthack changed: %q", out)
	}
	if err := os.Mkdir(filepath.Join(dir, "virtualdomains"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := tab.Reread(control.Dir(dir)); err == nil {
		t.Error("an unreadable control file was taken for none")
	}
}

func TestABounceShowsThePublicAddress(t *testing.T) {
	tab := usual(t)
	for in, want := range map[string]string{
		"vu-other@v.test":   "other@v.test",
		"other@v.test":      "other@v.test",
		"vu@v.test":         "vu@v.test",
		"wu-x@a.b.w.test":   "x@a.b.w.test",
		"ex-x@ex.w.test":    "ex-x@ex.w.test",
		"never-x@here.test": "never-x@here.test",
		"x":                 "x",
	} {
		if got := tab.Public(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestAListSenderNamesEachRecipient(t *testing.T) {
	for _, c := range [][3]string{
		{"list-@h.test-@[]", "a@b", "list-a=b@h.test"},
		{"list-@h.test-@[]", "a@b@c", "list-a@b=c@h.test"},
		{"list-@h.test-@[]", "a", "list-@h.test-@[]"},
		{"#@[]", "a@b", "#@[]"},
		{"", "a@b", ""},
		{"-@[]", "a@b", "-@[]"},
		{"x@y", "a@b", "x@y"},
	} {
		if got := SenderFor(c[0], c[1]); got != c[2] {
			t.Errorf("%q for %q: got %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
