package pop3

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"qmail/internal/text/exit"
	"qmail/internal/text/peerlog"
)

func TestASessionWithoutLoginEnds(t *testing.T) {
	for input, times := range map[string]int{"NOOP\r\n": 1000, "USER x\r\n": 1000, "FOO\r\n": 101, "USER\r\n": 101} {
		got, login := popup(t, strings.Repeat(input, times+5), 0, false)
		if n := strings.Count(got, "\r\n"); n != times+1 || login != "" ||
			!strings.HasSuffix(got, "-ERR too much for one session\r\n") {
			t.Errorf("%q: %d answers", input, n)
		}
	}
}

func TestASessionThatTakesTooLongEnds(t *testing.T) {
	now := time.Unix(4000000000, 0)
	p := Popup{Host: "h", Now: func() time.Time { now = now.Add(timeout / 3); return now }}
	got := talk(t, serve(p), strings.Repeat("NOOP\r\n", 10))
	if strings.Count(got, "+OK") != 1+4 || !strings.HasSuffix(got, "-ERR too much for one session\r\n") {
		t.Errorf("%q", got)
	}
}

func TestAMailboxBearsManyMistakesButNotAllOfThem(t *testing.T) {
	m := mailbox(t)
	if got := talk(t, m.Serve, strings.Repeat("RETR 1\r\n", 1000)+"QUIT\r\n"); !strings.HasSuffix(got, "+OK \r\n") {
		t.Errorf("%q", got[max(0, len(got)-100):])
	}
	if got := talk(t, m.Serve, strings.Repeat("RETR 1\r\n", 1001)+"QUIT\r\n"); !strings.HasSuffix(got,
		"-ERR too much for one session\r\n") {
		t.Errorf("%q", got[max(0, len(got)-100):])
	}
}

// The user did not see what would have been deleted.
func TestNothingIsDeletedAfterAFailedWrite(t *testing.T) {
	m := mailbox(t, [2]string{"new/1.a", "a\n"}, [2]string{"new/2.b", strings.Repeat("x\n", 20_000)})
	in, feed, _ := os.Pipe()
	got, out, _ := os.Pipe()
	got.Close()
	go func() { io.WriteString(feed, "DELE 1\r\nRETR 2\r\nQUIT\r\n"); feed.Close() }()
	m.Serve(in, out)
	if m.names() != "new/1.a new/2.b" {
		t.Error(m.names())
	}
}

func TestNothingBehindThePasswordIsRead(t *testing.T) {
	in, feed, _ := os.Pipe()
	got, out, _ := os.Pipe()
	io.WriteString(feed, "USER joe\r\nPASS x\r\nSTAT\r\nQUIT\r\n")
	feed.Close()
	var rest []byte
	p := Popup{Host: "h", Now: time.Now, Start: func(*os.File) (func() (exit.Code, bool), error) {
		return func() (exit.Code, bool) { rest, _ = io.ReadAll(in); return exit.OK, false }, nil
	}}
	serve(p)(in, out)
	got.Close()
	if string(rest) != "STAT\r\nQUIT\r\n" {
		t.Errorf("%q", rest)
	}
}

func TestALoginThatIsRefusedIsLogged(t *testing.T) {
	var log bytes.Buffer
	p := Popup{Host: "h", Now: time.Now, Log: peerlog.New(&log, "qmail-popup", "192.0.2.1", 7),
		Start: func(*os.File) (func() (exit.Code, bool), error) {
			return func() (exit.Code, bool) { return exit.Perm, false }, nil
		}}
	talk(t, serve(p), "USER joe doe\r\nPASS x\r\n")
	if got := log.String(); got != "qmail-popup: 192.0.2.1 pid 7: -ERR authorization failed user <joe_doe>\n" {
		t.Errorf("%q", got)
	}
}

func TestALoginThatIsNoneIsNotSound(t *testing.T) {
	for l, want := range map[Login]bool{
		"": true, "a\x00b\x00c\x00": true, "a\x00b\x00c": false, "a\x00b\x00": false, "a\x00b\x00c\x00d\x00": false,
		"x": false,
		Login(strings.Repeat("x", MaxLogin)) + "\x00\x00\x00": false,
	} {
		if l.Sound() != want {
			t.Errorf("%.20q", l)
		}
	}
}
