package main

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/testkill"
	"qmail/internal/local/maildir"
	"qmail/internal/local/mbox"
)

// childKey tells this test binary to be maildir2mbox.
const childKey = "MAILDIR2MBOX_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childKey) != "" {
		main()
	}
	os.Exit(m.Run())
}

// A place holds a Maildir and an mbox.
type place struct {
	t   *testing.T
	dir string
}

func newPlace(t *testing.T) place {
	p := place{t, t.TempDir()}
	if err := maildir.Make(p.dir + "/M"); err != nil {
		t.Fatal(err)
	}
	return p
}

// put puts a message of some age into the Maildir.
func (p place) put(name, text string, age time.Duration) {
	p.t.Helper()
	path := p.dir + "/M/" + name
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	when := time.Now().Add(-age)
	if err := os.Chtimes(path, when, when); err != nil {
		p.t.Fatal(err)
	}
}

// run runs maildir2mbox, killed at step n if that is not 0.
func (p place) run(n int) testkill.Outcome {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	o, err := testkill.Before(testkill.Run{
		Path: self, Args: []string{self}, Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Env: []string{childKey + "=1", "MAIL=" + p.dir + "/box", "MAILTMP=" + p.dir + "/tmp", "MAILDIR=" + p.dir + "/M"},
	}, n)
	if errors.Is(err, errors.ErrUnsupported) {
		p.t.Skip("programs cannot be traced here")
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return o
}

func (p place) box() string {
	b, err := os.ReadFile(p.dir + "/box")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.t.Fatal(err)
	}
	return string(b)
}

func TestMailMovesOldestFirstAndALastLineIsKept(t *testing.T) {
	p := newPlace(t)
	p.put("new/2", "Return-Path: <a b@c>\n\nFrom x\nno newline", 10*time.Second)
	p.put("cur/1:2,S", "Return-Path: <>\n", 20*time.Second)
	p.put("new/3", "Return-Path: <open\n", 5*time.Second)
	p.put("new/4", "", 4*time.Second)
	p.put("new/now", "stays\n", -10*time.Second)
	if o := p.run(0); o.Code != 0 {
		t.Fatalf("exit %d", o.Code)
	}
	var got []string
	for line := range strings.Lines(p.box()) {
		if i := strings.IndexByte(line[min(5, len(line)):], ' '); strings.HasPrefix(line, "From ") {
			line = line[:5+i] + "\n" // the date aside
		}
		got = append(got, line)
	}
	want := "From MAILER-DAEMON\nReturn-Path: <>\n\nFrom a-b@c\nReturn-Path: <a b@c>\n\n>From x\nno newline\n\n" +
		"From open\nReturn-Path: <open\n\nFrom XXX\n\n"
	if s := strings.Join(got, ""); s != want {
		t.Errorf("%q, want %q", s, want)
	}
	left, err := maildir.Scan(p.dir + "/M")
	if err != nil || len(left) != 1 || left[0].Name != "now" {
		t.Error(left, err)
	}
}

func TestKilledAtAnyStepNoMessageIsLost(t *testing.T) {
	text := strings.Repeat("a line\n", 20_000)
	for n := 1; ; n++ {
		p := newPlace(t)
		if err := mbox.Deliver(p.dir+"/box", "From old\n", strings.NewReader("old\n")); err != nil {
			t.Fatal(err)
		}
		p.put("new/1", "one\n"+text, 20*time.Second)
		p.put("new/2", "two\n"+text, 10*time.Second)
		o := p.run(n)
		there := p.box()
		if !strings.HasPrefix(there, "From old\nold\n\n") {
			t.Errorf("step %d: the old mail is gone", n)
		}
		for _, name := range []string{"one", "two"} {
			b, err := os.ReadFile(p.dir + "/M/new/" + map[string]string{"one": "1", "two": "2"}[name])
			inBox, inDir := strings.Contains(there, name+"\n"+text+"\n"), err == nil && string(b) == name+"\n"+text
			if !inBox && !inDir {
				t.Errorf("step %d: message %s is lost", n, name)
			}
		}
		if !o.Killed {
			if o.Code != 0 || n < 10 {
				t.Errorf("exit %d after %d steps", o.Code, n)
			}
			return
		}
	}
}
