package check

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"qmail/internal/sys"
)

// pair makes a client and the end that answers it.
func pair(t *testing.T) (*Client, *os.File) {
	t.Helper()
	here, there, err := sys.PacketPair()
	if err != nil {
		t.Fatal(err)
	}
	there, err = sys.Polled(there)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close(); there.Close() })
	return NewClient(here), there
}

func TestAProgramThatIsLateIsEndedAndTemporary(t *testing.T) {
	dir := t.TempDir()
	mark := filepath.Join(dir, "mark")
	script := filepath.Join(dir, "s")
	// What it waits for is ended with it; a password that nobody reads is no fault.
	os.WriteFile(script, []byte("#!/bin/sh\necho $$ >"+mark+"\nsleep 3600\n"), 0o700)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, there := pair(t)
	p := Program{Args: []string{script}, Env: os.Environ(), Log: os.Stderr, Null: null, patience: time.Second}
	r := &Runner{Programs: map[Kind]Program{Password: p}, Now: time.Now}
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(there) }()
	if v := c.Ask(Password, "joe", []byte("pw")); v != Temporary {
		t.Error(v)
	}
	if _, err := os.Stat(mark); err != nil {
		t.Error("it did not run:", err)
	}
	if v := c.Ask(Token, "joe", []byte("no program")); v != Temporary {
		t.Error(v)
	}
	for _, bad := range []string{"", "a\nb", "a\x00b", strings.Repeat("x", maxSecret+1)} {
		if v := c.Ask(Password, "joe", []byte(bad)); v != No {
			t.Errorf("%.9q: %v", bad, v)
		}
	}
	c.socket.Close()
	<-c.Gone()
	if v := c.Ask(Password, "joe", []byte("pw")); v != Temporary {
		t.Error(v)
	}
	if err := <-ended; err == nil {
		t.Error("the other end goes on")
	}
}

func TestAnEndThatSpeaksNonsenseIsNotHeard(t *testing.T) {
	for _, b := range []string{"", "x", "\x00\x00\x00\x01\x03", "\x00\x00\x00\x01\x02x"} {
		c, there := pair(t)
		answered := make(chan Verdict)
		go func() { answered <- c.Ask(Password, "joe", []byte("pw")) }()
		q := make([]byte, maxPacket+1)
		if _, _, err := sys.ReceivePacket(there, q, 0); err != nil {
			t.Fatal(err)
		}
		if b == "" {
			there.Close()
		} else if err := sys.SendPacket(there, []byte(b)); err != nil {
			t.Fatal(err)
		}
		if v := <-answered; v != Temporary {
			t.Errorf("%q: %v", b, v)
		}
	}
	for _, b := range []string{"x", "\x00\x00\x00\x01xjoe\x00pw", "\x00\x00\x00\x01pjoe", "\x00\x00\x00\x01p\x00pw",
		"\x00\x00\x00\x01pjoe\x00",
		"\x00\x00\x00\x01pjoe\x00p\x00w", "\x00\x00\x00\x01pj\noe\x00pw"} {
		here, there, err := sys.PacketPair()
		if err != nil {
			t.Fatal(err)
		}
		if there, err = sys.Polled(there); err != nil {
			t.Fatal(err)
		}
		if err := sys.SendPacket(here, []byte(b)); err != nil {
			t.Fatal(err)
		}
		if err := new(Runner).Serve(there); err != errPacket {
			t.Errorf("%q: %v", b, err)
		}
		here.Close()
		there.Close()
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01pjoe\x00pw"))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := parseRequest(b)
		if err != nil {
			return
		}
		if again, err := parseRequest(q.append(nil)); err != nil || !reflect.DeepEqual(q, again) {
			t.Errorf("%q: %v %v", b, q, again)
		}
		if n := strings.Count(string(Login(string(q.name), q.secret, time.Unix(1, 0))), "\x00"); n != 3 {
			t.Errorf("%q has %d NULs", b, n)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, v, err := parseAnswer(b); err == nil && string(appendAnswer(nil, id, v)) != string(b) {
			t.Errorf("%q", b)
		}
	})
}
