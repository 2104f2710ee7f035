package crypt

import (
	"os/exec"
	"strings"
	"testing"

	"qmail/internal/dev/testqmail"
)

// hashes are of the password "pencil 1", made by libxcrypt; by openssl where it can.
func hashes(t *testing.T) map[string]string {
	t.Helper()
	testqmail.Need(t, "openssl", "perl")
	all := map[string]string{}
	for _, kind := range []string{"-6", "-5", "-1"} {
		out, err := exec.Command("openssl", "passwd", kind, "pencil 1").Output()
		if err != nil {
			t.Fatal(err)
		}
		all["openssl "+kind] = strings.TrimSpace(string(out))
	}
	for _, salt := range []string{"$6$rounds=12345$abcdefgh", "$6$sixteen.bytes/ok", "$5$rounds=1000$x", "$1$abcdefgh",
		"$2b$05$abcdefghijklmnopqrstuu", "$2y$04$abcdefghijklmnopqrstuu", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1", "$y$j75$abcd"} {
		out, err := exec.Command("perl", "-e", "print crypt($ARGV[0], $ARGV[1])", "pencil 1", salt).Output()
		if err != nil || len(out) == 0 || out[0] != '$' {
			t.Fatalf("%s: %q %v", salt, out, err)
		}
		all[salt] = string(out)
	}
	return all
}

func TestAHashIsThatOfOnePassword(t *testing.T) {
	for made, h := range hashes(t) {
		if !Known(h) || !Check(h, []byte("pencil 1")) {
			t.Errorf("%s: %s is not that of the password", made, h)
		}
		for _, p := range []string{"pencil 2", "", "pencil 1\x00", "pencil"} {
			if Check(h, []byte(p)) {
				t.Errorf("%s: %s is that of %q", made, h, p)
			}
		}
		changed := []byte(h)
		changed[len(h)-3] ^= 1
		if Check(string(changed), []byte("pencil 1")) || Check(h[:len(h)-1], []byte("pencil 1")) {
			t.Errorf("%s: another hash is that of the password", made)
		}
	}
}

func TestWhatIsNoHashIsNobodysPassword(t *testing.T) {
	for _, h := range []string{"", "!", "*", "x", "!$6$abc$def", "$", "$$", "$6$", "$6$abc", "$6$rounds=999$a$b",
		"$6$rounds=99999999$a$b",
		"$6$rounds=x$a$b", "$6$abcdefghijklmnopq$x", "$1$abcdefghi$x", "$y$", "$y$j9T", "$2b$31$x", "abJnggxhB/yWI",
		"$7$x$y", "$y$x$y$z"} {
		for _, p := range []string{"", "x", h} {
			if Check(h, []byte(p)) {
				t.Errorf("%q is that of %q", h, p)
			}
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", []byte("x"))
	f.Add("$6$rounds=1000$x$y", []byte("y"))
	f.Add("$y$j75$abcd$x", []byte(""))
	f.Fuzz(func(t *testing.T, h string, p []byte) {
		if len(h) > 4 && (h[1] == '2' || h[1] == 'y' || strings.Contains(h, "rounds=")) {
			h = h[:4] // no time for these
		}
		if Check(h, p) && !Check(h, p) {
			t.Error("it changed its mind")
		}
	})
}
