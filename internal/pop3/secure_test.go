package pop3

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"qmail/internal/sys"
	"qmail/internal/text/exit"
)

// secured holds a session whose client may have TLS; begin stands for that. It returns what it says and the login.
func secured(t testing.TB, tls TLS, input string) (replies string, l Login) {
	t.Helper()
	p := Popup{Host: "h.test", Pid: 7, Now: func() time.Time { return time.Unix(4000000000, 0) }, TLS: tls}
	p.Start = func(*os.File) (func() (exit.Code, bool), error) { return nil, errors.New("not here") }
	replies = talk(t, func(in, out *os.File) { l, _ = p.Ask(in, out) }, input)
	return strings.TrimPrefix(replies, "+OK <7.4000000000@h.test>\r\n"), l
}

const banner = "<7.4000000000@h.test>\x00"

func TestALoginBySASLIsThatOfPASS(t *testing.T) {
	for input, want := range map[string]string{
		"AUTH PLAIN AGpvZQBnb29k\r\n":           "joe\x00good\x00" + banner,
		"auth plain\r\nAGpvZQBnb29k\r\n":        "joe\x00good\x00" + banner,
		"AUTH PLAIN am9lAGpvZQBnb29k\r\n":       "joe\x00good\x00" + banner, // he acts for himself
		"USER ann\r\nAUTH PLAIN AGpvZQBnb29k\n": "joe\x00good\x00" + banner,
		"AUTH PLAIN cm9vdABqb2UAZ29vZA==\r\n":   "", // joe acts for root
		"AUTH PLAIN AGpvZQB4CnJvb3Q=\r\n":       "", // a line end in the password
		"AUTH PLAIN =\r\n":                      "",
		"AUTH PLAIN\r\n*\r\n":                   "",
		"AUTH PLAIN\r\n":                        "",
		"AUTH LOGIN\r\nam9l\r\n":                "",
		"AUTH\r\n":                              "",
		"AUTH PLAIN AGpvZQBnb29k=\r\n":          "",
		"AUTH PLAIN AGpvZQBnb29kAHg=\r\n":       "", // a NUL in the password
	} {
		if got, l := secured(t, TLS{On: true}, input); string(l) != want {
			t.Errorf("%q: %q, %q", input, l, got)
		}
	}
}

func TestNothingIsNewWithoutTLS(t *testing.T) {
	const no = "-ERR authorization first\r\n"
	got, _ := secured(t, TLS{}, "CAPA\r\nSTLS\r\nAUTH PLAIN AGpvZQBnb29k\r\nAUTH\r\n")
	if got != strings.Repeat(no, 4) {
		t.Errorf("%q", got)
	}
}

func TestSTLSThatFailsEndsTheSessionAndSaysNoMore(t *testing.T) {
	begun := 0
	tls := TLS{Begin: func(d *sys.Dialogue) error { begun++; return errors.New("no") }}
	client, server, err := sys.StreamPair()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	done := make(chan bool)
	go func() {
		_, ok := Popup{Host: "h", Now: time.Now, TLS: tls}.Ask(server, server)
		server.Close()
		done <- ok
	}()
	b := make([]byte, 100)
	for _, say := range []string{"STLS\r\n", ""} {
		if n, _ := client.Read(b); !bytes.HasPrefix(b[:n], []byte("+OK")) {
			t.Errorf("%q", b[:n])
		}
		client.WriteString(say)
	}
	if rest, _ := io.ReadAll(client); len(rest) > 0 || <-done || begun != 1 {
		t.Errorf("%q, begun %d times", rest, begun)
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"\x00joe\x00good", "joe\x00joe\x00good", "a\x00b\x00c", "", "\x00\x00", "\x00\xff\x00\n"} {
		f.Add([]byte(base64.StdEncoding.EncodeToString([]byte(s))))
	}
	f.Fuzz(func(t *testing.T, response []byte) {
		name, password, ok := plain(response)
		if !ok {
			return
		}
		if l := login(name, password, "<b>"); len(response) <= maxCommand && !l.Sound() || name == "" || password == "" {
			t.Errorf("%q is no login: %q", response, l)
		}
		again := base64.StdEncoding.EncodeToString([]byte("\x00" + name + "\x00" + password))
		if n, p, ok := plain([]byte(again)); !ok || n != name || p != password {
			t.Errorf("%q became %q, %q, then %q, %q", response, name, password, n, p)
		}
	})
}

func FuzzSecuredPopup(f *testing.F) {
	f.Add("CAPA\r\nAUTH PLAIN\r\nAGpvZQBnb29k\r\n")
	f.Add("STLS\r\nAUTH PLAIN *\r\n")
	f.Add("AUTH  PLAIN \x00\r\n")
	f.Fuzz(func(t *testing.T, input string) {
		_, l := secured(t, TLS{On: true}, input)
		if l != "" && (!l.Sound() || !strings.HasSuffix(string(l), banner)) {
			t.Errorf("%q: %q", input, l)
		}
	})
}
