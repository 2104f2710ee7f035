package checker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/auth/check"
	"qmail/internal/smtp/smtpd"
)

func TestTheArgumentsAreThoseOfTheSuccessors(t *testing.T) {
	for args, want := range map[string]string{
		"":                                     "",
		"mail.example.org":                     "",
		"checkpassword true":                   "checkpassword true",
		"/bin/checkpassword true":              "/bin/checkpassword true",
		"mail.example.org checkpassword true":  "checkpassword true",
		"mail.example.org /bin/check /bin/x y": "/bin/check /bin/x y",
		"/bin/check -s smtp true":              "/bin/check -s smtp true",
	} {
		if got := strings.Join(Command(strings.Fields(args)), " "); got != want {
			t.Errorf("%q: %q", args, got)
		}
	}
}

// script makes a program that checks, and a login that uses it.
func script(t *testing.T, text string) *login {
	t.Helper()
	path := filepath.Join(t.TempDir(), "check")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	return &login{now: time.Now, program: check.Program{
		Args: []string{path, "true"}, Env: append(os.Environ(), "TCPREMOTEIP=192.0.2.1"), Log: os.Stderr, Null: null}}
}

// The program has nothing of the client's connection, and the environment of it.
const joe = `test "$TCPREMOTEIP" = 192.0.2.1 -a "$*" = true && read x </dev/stdin; test -z "$x" || exit 3
case $(tr '\0' ' ' <&3) in "joe pw 1"*) exit 0;; "ann "*) exit 111;; "eve "*) kill -9 $$;; esac
exit 1`

func TestTheProgramSaysWhoItIs(t *testing.T) {
	for _, c := range []struct {
		mechanism string
		says      []string
		want      smtpd.Step
		temporary bool
	}{
		{mechanism: "PLAIN", says: []string{"\x00joe\x00pw"}, want: smtpd.Step{User: "joe"}},
		{mechanism: "LOGIN", says: []string{"joe", "pw"}, want: smtpd.Step{User: "joe"}},
		{mechanism: "PLAIN", says: []string{"\x00joe\x00no"}, want: smtpd.Step{Name: "joe"}},
		{mechanism: "LOGIN", says: []string{"bob", "pw"}, want: smtpd.Step{Name: "bob"}},
		{mechanism: "PLAIN", says: []string{"\x00ann\x00pw"}, temporary: true},
		{mechanism: "PLAIN", says: []string{"\x00eve\x00pw"}, temporary: true},
		// What is no name or password is nobody's, and no program gets it.
		{mechanism: "PLAIN", says: []string{"joe"}},
		{mechanism: "PLAIN", says: []string{"\x00ann\x00p\x00w"}},
		{mechanism: "LOGIN", says: []string{"ann", ""}},
		{mechanism: "LOGIN", says: []string{"ann\n", "x"}},
		{mechanism: "LOGIN", says: []string{"ann", strings.Repeat("x", 2000)}},
	} {
		for _, at := range []int{0, 1} { // with an initial response, or without
			l := script(t, joe)
			var first []byte
			says := c.says
			if at == 1 {
				first, says = []byte(says[0]), says[1:]
			}
			step, err := l.Begin(c.mechanism, first, nil)
			for _, s := range says {
				if err != nil || !step.More {
					t.Fatalf("%s %q: %+v %v", c.mechanism, c.says, step, err)
				}
				step, err = l.Continue([]byte(s))
			}
			if step.User != c.want.User || step.Name != c.want.Name || step.More || (err != nil) != c.temporary {
				t.Errorf("%s %.40q: %+v %v", c.mechanism, c.says, step, err)
			}
		}
	}
}

func TestAProgramThatIsNotThereTellsNothing(t *testing.T) {
	l := script(t, "")
	l.program.Args[0] = "/nonexistent"
	if step, err := l.Begin("PLAIN", []byte("\x00joe\x00pw"), nil); err == nil {
		t.Errorf("%+v", step)
	}
}
