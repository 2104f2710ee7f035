package qmtpd

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"qmail/internal/qmtp"
	"qmail/internal/site/control"
	"qmail/internal/submit"
	"qmail/internal/text/exit"
	"qmail/internal/text/netstring"
	"qmail/internal/text/peerlog"
)

// TestMain is qmail-queue when it is started as that: it stores what it gets and exits as it is told.
func TestMain(m *testing.M) {
	dir := os.Getenv("FAKE_QUEUE")
	if dir == "" {
		os.Exit(m.Run())
	}
	text, _ := io.ReadAll(os.Stdin)
	env, _ := io.ReadAll(os.NewFile(1, "envelope"))
	if !bytes.HasSuffix(env, []byte("\x00\x00")) {
		os.Exit(54)
	}
	_, body, _ := strings.Cut(string(text), "\n  by")
	_, body, _ = strings.Cut(body, "\n")
	os.WriteFile(filepath.Join(dir, strconv.Itoa(os.Getpid())), []byte(body+"|"+string(env)), 0o600)
	code, _ := strconv.Atoi(os.Getenv("FAKE_CODE"))
	os.Exit(code)
}

// A world is a control folder, an environment and a place for what is queued.
type world struct {
	server Server
	queue  string
}

func newWorld(t testing.TB, files map[string]string, env ...string) *world {
	t.Helper()
	dir, queue := t.TempDir(), t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env = append([]string{"QMAILQUEUE=" + self, "FAKE_QUEUE=" + queue}, env...)
	return &world{Server{Control: control.Dir(dir), Env: env, Queue: submit.NewIn("/", env, nil), Now: time.Now}, queue}
}

// say holds a session and returns the letters of the replies.
func (w *world) say(t testing.TB, serve func(in, out *os.File) exit.Code, input string) (
	letters string, code exit.Code) {
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
	done := make(chan exit.Code, 1)
	go func() { c := serve(in, out); out.Close(); done <- c }()
	r := bufio.NewReader(got)
	for {
		reply, err := qmtp.ReadReply(r)
		if err != nil {
			break
		}
		letters += string(rune(reply.Kind))
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("%q answered by what is no reply: %q", input, rest)
	}
	return letters, <-done
}

func (w *world) queued() (list []string) {
	files, _ := filepath.Glob(filepath.Join(w.queue, "*"))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		list = append(list, string(b))
	}
	return list
}

func ns(parts ...string) string { return string(netstring.AppendString(nil, strings.Join(parts, ""))) }

func TestEachRecipientHasItsAnswer(t *testing.T) {
	w := newWorld(t, map[string]string{"rcpthosts": "ours.test\n"})
	odd := strings.Repeat("x", 1000)
	got, code := w.say(t, w.server.QMTP, ns("\nhello\n")+ns("a@b")+
		ns(ns("x@ours.test"), ns("y@far.test"), ns(odd+"@ours.test"), ns("n\x00@ours.test"), ns("z")))
	if want := "KDDDK"; got != want || code != exit.OK {
		t.Errorf("%q, %d", got, code)
	}
	if q := w.queued(); len(q) != 1 || q[0] != "hello\n|Fa@b\x00Tx@ours.test\x00Tz\x00\x00" {
		t.Errorf("%q", q)
	}
}

func TestARecipientThatIsNamedAgainHasAnAnswerAndOneCopy(t *testing.T) {
	w := newWorld(t, nil)
	list := ns("x@y") + ns("X@y") + ns("x@y")
	if got, _ := w.say(t, w.server.QMTP, ns("\nhi\n")+ns("a@b")+ns(list)); got != "KKK" {
		t.Errorf("QMTP: %q", got)
	}
	if got, _ := w.say(t, w.server.QMQP, ns(ns("hi\n"), ns("a@b"), list)); got != "K" {
		t.Errorf("QMQP: %q", got)
	}
	const want = "hi\n|Fa@b\x00Tx@y\x00TX@y\x00\x00"
	if q := w.queued(); len(q) != 2 || q[0] != want || q[1] != want {
		t.Errorf("%q", q)
	}
}

func TestAMessageThatIsNotWholeIsNotQueued(t *testing.T) {
	full := ns("\nhi\n") + ns("a@b") + ns(ns("c@d"))
	for n := range len(full) {
		w := newWorld(t, nil)
		if got, code := w.say(t, w.server.QMTP, full[:n]); got != "" || code != exit.OK || len(w.queued()) > 0 {
			t.Errorf("%q: %q, %d, %q", full[:n], got, code, w.queued())
		}
	}
	full = ns(ns("hi\n"), ns("a@b"), ns("c@d"))
	for n := range len(full) {
		w := newWorld(t, nil)
		if got, code := w.say(t, w.server.QMQP, full[:n]); got != "" || code != exit.OK || len(w.queued()) > 0 {
			t.Errorf("QMQP %q: %q, %d, %q", full[:n], got, code, w.queued())
		}
	}
}

func TestFramesThatDoNotFitBreakTheProtocol(t *testing.T) {
	for _, in := range []string{
		"0:,", "1:x,", "4:\nhi\n;", ns("\nhi\n") + "3:a@b;", ns("\nhi\n") + ns("a@b") + "5:9:c@d,,",
		ns("\nhi\n") + ns("a@b") + ns(ns("c@d")+"0"), ns("\nhi\n") + ns("a@b") + "6:3:c@d,;",
	} {
		w := newWorld(t, nil)
		if got, code := w.say(t, w.server.QMTP, in); got != "" || code != badProtocol || len(w.queued()) > 0 {
			t.Errorf("%q: %q, %d, %q", in, got, code, w.queued())
		}
	}
	for _, in := range []string{ns("4:body,"), ns(ns("hi"), "3:a@b;"), ns(ns("hi"), ns("a@b"), "3")} {
		w := newWorld(t, nil)
		if got, code := w.say(t, w.server.QMQP, in); got != "" || code != badProtocol || len(w.queued()) > 0 {
			t.Errorf("QMQP %q: %q, %d, %q", in, got, code, w.queued())
		}
	}
}

func TestQMQPRefusesAMessageWithOneBadAddress(t *testing.T) {
	w := newWorld(t, nil)
	got, code := w.say(t, w.server.QMQP, ns(ns("hi\n"), ns("a@b"), ns("c@d"), ns(strings.Repeat("x", 1000))))
	if got != "D" || code != exit.OK || len(w.queued()) > 0 {
		t.Errorf("%q, %d, %q", got, code, w.queued())
	}
}

func TestAControlByteInAnAddressIsAFailure(t *testing.T) {
	for _, c := range []string{"\x01", "\t", "\n", "\r", "\x1f", "\x7f"} {
		w := newWorld(t, nil)
		bad := "a" + c + "X-Injected: y@b"
		got, _ := w.say(t, w.server.QMTP, ns("\nhi\n")+ns("a@b")+ns(ns("c@d"), ns(bad))+ns("\nhi\n")+ns(bad)+ns(ns("c@d")))
		if got != "KDD" || len(w.queued()) != 1 {
			t.Errorf("%q: %q, %q", bad, got, w.queued())
		}
		for _, in := range []string{ns(ns("hi\n"), ns("a@b"), ns(bad), ns("c@d")), ns(ns("hi\n"), ns(bad), ns("c@d"))} {
			w := newWorld(t, nil)
			if got, _ := w.say(t, w.server.QMQP, in); got != "D" || len(w.queued()) != 0 {
				t.Errorf("QMQP %q: %q, %q", bad, got, w.queued())
			}
		}
	}
}

func TestRecipientsPastTheLimitAreDeferred(t *testing.T) {
	const count = 1500
	list := ""
	for i := range count {
		list += ns(strconv.Itoa(10000+i) + "@d")
	}
	w := newWorld(t, nil)
	got, _ := w.say(t, w.server.QMTP, ns("\nhi\n")+ns("a@b")+ns(list))
	if got != strings.Repeat("K", 1000)+strings.Repeat("Z", 500) {
		t.Errorf("%q", got)
	}
	if q := w.queued(); len(q) != 1 || strings.Count(q[0], "\x00T") != 1000 {
		t.Errorf("%q", q)
	}
	for maxrcpt, want := range map[string]string{"": "K", "1500": "K", "1499": "Z"} {
		files := map[string]string{"maxrcpt": maxrcpt}
		if maxrcpt == "" {
			files = nil
		}
		w := newWorld(t, files)
		got, _ := w.say(t, w.server.QMQP, ns(ns("hi\n"), ns("a@b"), list))
		if got != want || len(w.queued()) != strings.Count(want, "K") {
			t.Errorf("maxrcpt %q: %q, %d messages", maxrcpt, got, len(w.queued()))
		}
	}
}

func TestAMessageWithoutRoomForItIsDeferred(t *testing.T) {
	w := newWorld(t, map[string]string{"rcpthosts": "ours.test\n"})
	w.server.Room = func() bool { return false }
	got, code := w.say(t, w.server.QMTP, ns("\nhi\n")+ns("a@b")+ns(ns("x@ours.test"), ns("y@far.test")))
	if got != "ZD" || code != exit.OK || len(w.queued()) > 0 {
		t.Errorf("%q, %d, %q", got, code, w.queued())
	}
	got, code = w.say(t, w.server.QMQP, ns(ns("hi\n"), ns("a@b"), ns("c@d")))
	if got != "Z" || code != exit.OK || len(w.queued()) > 0 {
		t.Errorf("QMQP: %q, %d, %q", got, code, w.queued())
	}
}

func TestWhatIsRefusedIsLogged(t *testing.T) {
	w := newWorld(t, map[string]string{"rcpthosts": "ours.test\n"}, "FAKE_CODE=31")
	var log bytes.Buffer
	w.server.Log = peerlog.Of(&log, "p", []string{"LOGREFUSED=", "TCPREMOTEIP=192.0.2.1"}, 7)
	w.say(t, w.server.QMTP, ns("\nhi\n")+ns("a@b")+ns(ns("x@far.test"), ns("y@far.test"), ns("z@ours.test")))
	w.say(t, w.server.QMQP, ns(ns("hi\n"), ns("c@d"), ns("c@d")))
	const head, no = "p: 192.0.2.1 pid 7: D", "mail server permanently rejected message (#5.3.0) from <"
	want := head + "sorry, I don't take that recipient to <x@far.test>\n" + head + no + "a@b>\n" + head + no + "c@d>\n"
	if log.String() != want {
		t.Errorf("%s", log.String())
	}
}

func TestNoMessageIsReadAfterAFailedWrite(t *testing.T) {
	w := newWorld(t, nil)
	in, feed, _ := os.Pipe()
	got, out, _ := os.Pipe()
	got.Close()
	list := strings.Repeat(ns("c@d"), 200) // the replies are more than one write
	go func() { io.WriteString(feed, strings.Repeat(ns("\nhi\n")+ns("a@b")+ns(list), 3)); feed.Close() }()
	if code := w.server.QMTP(in, out); code != exit.Temp || len(w.queued()) != 1 {
		t.Errorf("exit %d, %d messages", code, len(w.queued()))
	}
}

func TestTroubleOfTheQueueIsADeferral(t *testing.T) {
	for code, want := range map[string]string{"0": "K", "31": "D", "11": "D", "53": "Z", "2": "Z", "100": "Z"} {
		w := newWorld(t, nil, "FAKE_CODE="+code)
		if got, _ := w.say(t, w.server.QMQP, ns(ns("hi\n"), ns("a@b"), ns("c@d"))); got != want {
			t.Errorf("exit %s: %q, want %q", code, got, want)
		}
	}
}

func TestUnreadableControlsAreTemporary(t *testing.T) {
	w := newWorld(t, nil)
	os.Mkdir(filepath.Join(string(w.server.Control), "rcpthosts"), 0o700)
	if got, code := w.say(t, w.server.QMTP, ns("\nhi\n")); got != "" || code != exit.Temp {
		t.Errorf("%q, %d", got, code)
	}
}

// The queue of the fuzz targets reads nothing: what they look for is
// an answer or an end for every input.
func fuzz(f *testing.F, serve func(Server) func(in, out *os.File) exit.Code) {
	w := newWorld(f, nil)
	w.server.Queue = submit.NewIn("/", []string{"QMAILQUEUE=/bin/true"}, nil)
	f.Fuzz(func(t *testing.T, in string) {
		switch _, code := w.say(t, serve(w.server), in); code {
		case exit.OK, exit.Perm, exit.Temp:
		default:
			t.Errorf("%q: exit %d", in, code)
		}
	})
}

func FuzzQMTP(f *testing.F) {
	f.Add(ns("\nhi\n") + ns("a@b") + ns(ns("c@d")))
	f.Add(ns("\r\r\n") + ns("") + ns("0:;"))
	fuzz(f, func(s Server) func(in, out *os.File) exit.Code { return s.QMTP })
}

func FuzzQMQP(f *testing.F) {
	f.Add(ns(ns("hi\n"), ns("a@b"), ns("c@d")))
	f.Add("9:1:a,1:b;,")
	fuzz(f, func(s Server) func(in, out *os.File) exit.Code { return s.QMQP })
}
