package pop3

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/internal/text/exit"
)

// talk runs a session with input that is all there from the start.
func talk(t testing.TB, serve func(in, out *os.File), input string) string {
	t.Helper()
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	got, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer got.Close()
	go func() { io.WriteString(feed, input); feed.Close() }()
	go func() { serve(in, out); out.Close() }()
	b, _ := io.ReadAll(got)
	return string(b)
}

// mailbox makes a Maildir; names begin with the folder. Each file is a second younger than the one before.
func mailbox(t testing.TB, files ...[2]string) Mailbox {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"tmp", "new", "cur"} {
		os.Mkdir(filepath.Join(dir, sub), 0o700)
	}
	for i, f := range files {
		path := filepath.Join(dir, f[0])
		when := time.Now().Add(time.Duration(i)*time.Second - time.Hour)
		if os.WriteFile(path, []byte(f[1]), 0o600) != nil || os.Chtimes(path, when, when) != nil {
			t.Fatal(f[0])
		}
	}
	return Mailbox{Dir: dir, Now: time.Now}
}

func (m Mailbox) names() string {
	list, _ := filepath.Glob(m.Dir + "/[nc]*/*")
	for i := range list {
		list[i] = strings.TrimPrefix(list[i], m.Dir+"/")
	}
	return strings.Join(list, " ")
}

func TestTOPSendsTheHeaderAndSomeLines(t *testing.T) {
	m := mailbox(t, [2]string{"new/1.a", "Subject: x\n.dot: y\n\n.1\n2\n3"})
	for limit, want := range map[string]string{
		"0":           "Subject: x\r\n..dot: y\r\n\r\n",
		"1":           "Subject: x\r\n..dot: y\r\n\r\n..1\r\n",
		"2":           "Subject: x\r\n..dot: y\r\n\r\n..1\r\n2\r\n",
		"3":           "Subject: x\r\n..dot: y\r\n\r\n..1\r\n2\r\n3\r\n",
		"99999999999": "Subject: x\r\n..dot: y\r\n\r\n..1\r\n2\r\n3\r\n",
		"":            "Subject: x\r\n..dot: y\r\n\r\n..1\r\n2\r\n3\r\n",
		"x":           "Subject: x\r\n..dot: y\r\n\r\n..1\r\n2\r\n3\r\n",
	} {
		if got := talk(t, m.Serve, "TOP 1 "+limit+"\r\n"); got != "+OK \r\n+OK \r\n"+want+"\r\n.\r\n" {
			t.Errorf("TOP 1 %s: %q", limit, got)
		}
	}
}

func TestLongLinesArriveWhole(t *testing.T) {
	for _, n := range []int{16<<10 - 1, 16 << 10, 16<<10 + 1, 100_000} {
		line := "." + strings.Repeat("x", n-1)
		m := mailbox(t, [2]string{"new/1.a", line + "\n" + line})
		if got := talk(t, m.Serve, "RETR 1\r\n"); got != "+OK \r\n+OK \r\n."+line+"\r\n."+line+"\r\n\r\n.\r\n" {
			t.Errorf("%d: %d bytes", n, len(got))
		}
	}
}

func TestNothingChangesWithoutQUIT(t *testing.T) {
	m := mailbox(t, [2]string{"new/1.a", "a\n"}, [2]string{"cur/2.b:2,S", "b\n"})
	talk(t, m.Serve, "DELE 1\r\nDELE 2\r\nRETR 1\r\nQUI\r\n")
	if got := m.names(); got != "cur/2.b:2,S new/1.a" {
		t.Error(got)
	}
	talk(t, m.Serve, "DELE 2\r\nQUIT\r\n")
	if got := m.names(); got != "cur/1.a:2," {
		t.Error(got)
	}
}

func TestUIDLStaysWhenAMessageMoves(t *testing.T) {
	m := mailbox(t, [2]string{"new/1.a", "a\n"}, [2]string{"cur/2.b:2,S", "b\n"})
	first := talk(t, m.Serve, "UIDL\r\nQUIT\r\n")
	if want := "+OK \r\n+OK \r\n1 1.a\r\n2 2.b\r\n.\r\n+OK \r\n"; first != want {
		t.Errorf("%q", first)
	}
	if again := talk(t, m.Serve, "UIDL\r\nQUIT\r\n"); again != first {
		t.Errorf("%q, then %q", first, again)
	}
}

func TestAMessageThatVanishedIsAnErrorAndNoMore(t *testing.T) {
	m := mailbox(t, [2]string{"new/1.a", "a\n"}, [2]string{"new/2.b", "b\n"})
	in, feed, _ := os.Pipe()
	got, out, _ := os.Pipe()
	go func() { m.Serve(in, out); out.Close() }()
	b := make([]byte, 100)
	got.Read(b)
	os.Remove(m.Dir + "/new/1.a")
	io.WriteString(feed, "RETR 1\r\nDELE 1\r\nQUIT\r\n")
	rest, _ := io.ReadAll(got)
	if want := "-ERR unable to open that message\r\n+OK \r\n+OK \r\n"; string(rest) != want {
		t.Errorf("%q", rest)
	}
	if m.names() != "cur/2.b:2," {
		t.Error(m.names())
	}
}

func TestABigMailboxIsListedInTime(t *testing.T) {
	var files [][2]string
	for i := range 3000 {
		files = append(files, [2]string{"new/" + strconv.Itoa(i) + ".x", "x\n"})
	}
	m := mailbox(t, files...)
	start := time.Now()
	got := talk(t, m.Serve, "LIST\r\nUIDL\r\nQUIT\r\n")
	if strings.Count(got, "\r\n") != 2*3000+6 || time.Since(start) > 10*time.Second {
		t.Errorf("%d lines in %v", strings.Count(got, "\r\n"), time.Since(start))
	}
}

func FuzzMailbox(f *testing.F) {
	f.Add("STAT\r\nLIST 1\r\nTOP 1 1\r\nDELE 2\r\nUIDL\r\nRSET\r\nLAST\r\nRETR 3\r\nLIST x\r\nnoop\n")
	f.Add("TOP 1 \x00\r\nLIST 99999999999999999999\r\n")
	m := mailbox(f, [2]string{"new/1.a", "S: x\n\n.\n"}, [2]string{"cur/2.b:2,S", "b"})
	f.Fuzz(func(t *testing.T, input string) {
		if len(input) > maxCommand {
			return
		}
		lines := strings.SplitAfter(input, "\n")
		want := 1
		for _, l := range lines[:len(lines)-1] {
			if v, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimSuffix(l, "\n"), "\r"), " "); len(v) == 4 &&
				strings.EqualFold(v, "quit") {
				return // would move the messages
			}
			want++
		}
		got := talk(t, m.Serve, input)
		n := 0
		for _, l := range strings.Split(got, "\r\n") {
			if strings.HasPrefix(l, "+OK ") || strings.HasPrefix(l, "-ERR ") {
				n++
			}
		}
		if n != want {
			t.Errorf("%q: %d answers, want %d: %q", input, n, want, got)
		}
	})
}

// dup returns another descriptor of a file.
func dup(t testing.TB, f *os.File) *os.File {
	t.Helper()
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "login")
}

// serve is what qmail-popup does where it is not root.
func serve(p Popup) func(in, out *os.File) {
	return func(in, out *os.File) {
		if l, ok := p.Ask(in, out); ok {
			p.Check(l, in, out)
		}
	}
}

// popup holds a session before the login, and returns what the program would have read.
func popup(t testing.TB, input string, code exit.Code, crashed bool) (replies, login string) {
	t.Helper()
	read := make(chan string, 1)
	p := Popup{Host: "h.test", Pid: 7, Now: func() time.Time { return time.Unix(4000000000, 0) },
		Start: func(r *os.File) (func() (exit.Code, bool), error) {
			fd := dup(t, r)
			return func() (exit.Code, bool) {
				b, _ := io.ReadAll(fd)
				fd.Close()
				read <- string(b)
				return code, crashed
			}, nil
		}}
	replies = talk(t, serve(p), input)
	select {
	case login = <-read:
	default:
	}
	return strings.TrimPrefix(replies, "+OK <7.4000000000@h.test>\r\n"), login
}

func TestLoginIsPassedOnAsItCame(t *testing.T) {
	for input, want := range map[string]string{
		"USER joe\r\nPASS a  b \r\n":               "joe\x00a  b \x00<7.4000000000@h.test>\x00",
		"USER a\r\nuser joe x\r\npass y\r\n":       "joe x\x00y\x00<7.4000000000@h.test>\x00",
		"APOP joe 0123456789abcdef\r\n":            "joe\x000123456789abcdef\x00<7.4000000000@h.test>\x00",
		"USER a\x00b\r\nPASS x\r\n":                "",
		"USER joe\r\nPASS x\x00root\r\n":           "",
		"PASS x\r\nUSER\r\nAPOP joe\r\nQUIT\r\n":   "",
		"USER joe\r\nQUIT\r\nPASS x\r\n":           "",
		"USER " + strings.Repeat("x", 5000) + "\n": "",
	} {
		if _, got := popup(t, input, 0, false); got != want {
			t.Errorf("%.40q: %q, want %q", input, got, want)
		}
	}
}

func TestRefusalAndCrashHaveTheirAnswers(t *testing.T) {
	const login = "USER joe\r\nPASS x\r\n"
	if got, _ := popup(t, login, 0, false); got != "+OK \r\n" {
		t.Errorf("%q", got)
	}
	if got, _ := popup(t, login, 111, false); got != "+OK \r\n-ERR authorization failed\r\n" {
		t.Errorf("%q", got)
	}
	if got, _ := popup(t, login, 0, true); got != "+OK \r\n-ERR aack, child crashed\r\n" {
		t.Errorf("%q", got)
	}
}

func FuzzPopup(f *testing.F) {
	f.Add("USER joe\r\nPASS x\r\n")
	f.Add("APOP  a \x00\r\n")
	f.Fuzz(func(t *testing.T, input string) {
		replies, login := popup(t, input, 1, false)
		if login != "" &&
			(strings.Count(login, "\x00") != 3 || !strings.HasSuffix(replies, "-ERR authorization failed\r\n")) {
			t.Errorf("%q: %q, %q", input, replies, login)
		}
	})
}
