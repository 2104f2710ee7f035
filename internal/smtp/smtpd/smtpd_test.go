package smtpd

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"qmail/internal/net/ipme"
	"qmail/internal/site/control"
	"qmail/internal/submit"
	"qmail/internal/text/crlf"
	"qmail/internal/text/exit"
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
		os.WriteFile(filepath.Join(dir, "aborted"), env, 0o600)
		os.Exit(54)
	}
	name := strconv.Itoa(os.Getpid())
	os.WriteFile(filepath.Join(dir, "text."+name), text, 0o600)
	os.WriteFile(filepath.Join(dir, "env."+name), env, 0o600)
	os.WriteFile(filepath.Join(dir, "seen."+name),
		[]byte(os.Getenv("TCPREMOTEIP")+" "+strconv.FormatBool(os.Getenv("RELAYCLIENT") != "")), 0o600)
	code, _ := strconv.Atoi(os.Getenv("FAKE_CODE"))
	os.Exit(code)
}

// A world is a control folder, an environment and a place for what is queued.
type world struct {
	t     *testing.T
	dir   string
	env   []string
	queue string
}

func newWorld(t *testing.T, control map[string]string, env ...string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), queue: t.TempDir()}
	for name, text := range control {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w.env = append([]string{"QMAILQUEUE=" + self, "FAKE_QUEUE=" + w.queue, "TCPREMOTEIP=10.1.2.3",
		"TCPLOCALHOST=l.test"}, env...)
	return w
}

func (w *world) server() Server {
	return Server{Control: control.Dir(w.dir), Env: w.env, Queue: submit.NewIn("/", w.env, nil), Now: time.Now,
		Mine: func() (ipme.Set, error) {
			return ipme.Set{netip.MustParseAddr("10.9.9.9"): {}, netip.MustParseAddr("2001:db8::1"): {}}, nil
		}}
}

// pair returns both ends of a TCP connection; the server's blocks, as the one that tcp-env hands on.
func pair(t *testing.T) (client *net.TCPConn, server *os.File) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := s.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(raw.Fd())) // which makes it block
	if err != nil {
		t.Fatal(err)
	}
	raw.Close()
	s.Close()
	f := os.NewFile(uintptr(fd), "connection")
	t.Cleanup(func() { c.Close(); f.Close() })
	return c.(*net.TCPConn), f
}

// say holds a whole session with input that is all there from the start.
func (w *world) say(input string) (replies string, code exit.Code) {
	w.t.Helper()
	return w.with(w.server(), input)
}

func (w *world) with(s Server, input string) (replies string, code exit.Code) {
	w.t.Helper()
	client, server := pair(w.t)
	go func() {
		io.WriteString(client, input)
		client.CloseWrite()
	}()
	done := make(chan exit.Code, 1)
	go func() {
		code := s.Serve(server, server)
		server.Close()
		done <- code
	}()
	b, _ := io.ReadAll(client)
	return string(b), <-done
}

// queued returns the envelopes and the texts that were queued.
func (w *world) queued() (envelopes, texts []string) {
	envs, _ := filepath.Glob(filepath.Join(w.queue, "env.*"))
	for _, e := range envs {
		b, _ := os.ReadFile(e)
		envelopes = append(envelopes, string(b))
		b, _ = os.ReadFile(filepath.Join(w.queue, "text"+filepath.Ext(e)))
		texts = append(texts, string(b))
	}
	return envelopes, texts
}

func codes(replies string) string {
	var b strings.Builder
	for _, l := range strings.Split(replies, "\r\n") {
		if len(l) > 3 && l[3] == ' ' {
			b.WriteString(l[:3] + " ")
		}
	}
	return strings.TrimRight(b.String(), " ")
}

func TestHELOHasTheThreeLinesOfTheManualAndEHLOTellsTheSizeToo(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "databytes": "5000\n"})
	got, code := w.say("HELO a\r\nEHLO a\r\nQUIT\r\n")
	want := "220 m.test ESMTP\r\n250-m.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n" +
		"250-m.test\r\n250-PIPELINING\r\n250-SIZE 5000\r\n250 8BITMIME\r\n221 m.test\r\n"
	if got != want || code != exit.OK {
		t.Errorf("%q, %d", got, code)
	}
}

func TestAddressLiteralsOfThisHostBecomeLocaliphost(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "localiphost": "here.test\n"})
	got, _ := w.say("MAIL FROM:<a@[10.9.9.9]>\r\nRCPT TO:<b@[10.9.9.9]>\r\nRCPT TO:<c@[IPv6:2001:DB8::1]>\r\n" +
		"RCPT TO:<d@[10.9.9.8]>\r\n" +
		"RCPT TO:<e@[10.9.9.9]x>\r\nDATA\r\n.\r\nQUIT\r\n")
	envs, _ := w.queued()
	if want := "Fa@here.test\x00Tb@here.test\x00Tc@here.test\x00Td@[10.9.9.8]\x00Te@[10.9.9.9]x\x00\x00"; len(envs) != 1 ||
		envs[0] != want {
		t.Errorf("%q after %q", envs, got)
	}
}

func TestARecipientThatIsNamedAgainHasOneCopy(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "localiphost": "here.test\n"})
	again := strings.Repeat("RCPT TO:<b@c>\r\nRCPT TO:<\"b\"@c>\r\n", 400)
	text := "MAIL FROM:<a@b>\r\n" + again + "RCPT TO:<B@c>\r\nRCPT TO:<x@[10.9.9.9]>\r\nRCPT TO:<x@here.test>\r\n" +
		"DATA\r\n.\r\n"
	got, _ := w.say(text + text + "QUIT\r\n")
	envs, _ := w.queued()
	const want = "Fa@b\x00Tb@c\x00TB@c\x00Tx@here.test\x00\x00"
	if strings.Count(got, "250 ok\r\n") != 2*(1+800+3) || len(envs) != 2 || envs[0] != want || envs[1] != want {
		t.Errorf("%.200q", envs)
	}
}

func TestAControlByteInAnAddressIsRefused(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	for c := range 256 {
		want := "220 250 555 555 250 221"
		switch {
		case c == '\n':
			continue // ends the line
		case c >= ' ' && c != 127:
			want = "220 250 250 250 250 221"
		}
		for _, quoted := range []string{`"me-x%X-Injected: y"@b`, `me-x\%y@b`} {
			a := strings.ReplaceAll(quoted, "%", string([]byte{byte(c)}))
			if c == '"' || c == '\\' || c == '>' {
				continue
			}
			got, _ := w.say("MAIL FROM:<ok@b>\r\nMAIL FROM:<" + a + ">\r\nRCPT TO:<" + a + ">\r\nRCPT TO:<d@e>\r\nQUIT\r\n")
			if codes(got) != want {
				t.Errorf("%q: %q", a, got)
			}
		}
	}
}

func TestSIZEIsOfferedOnlyWithALimit(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	if got, _ := w.say("EHLO a\r\nQUIT\r\n"); strings.Contains(got, "SIZE") {
		t.Errorf("%q", got)
	}
}

func TestALongNameInHELOIsRefused(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	name := strings.Repeat("h", maxHelo)
	got, _ := w.say("HELO " + name + "\r\nEHLO " + name + "\r\nHELO " + name + "h\r\nEHLO " + name + "h\r\nQUIT\r\n")
	if codes(got) != "220 250 250 501 501 221" {
		t.Errorf("%q", got)
	}
}

func TestNoMessageIsTakenWithoutRoomForIt(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	s := w.server()
	room := true
	s.Room = func() bool { room = !room; return !room }
	client, server := pair(t)
	go func() { s.Serve(server, server); server.Close() }()
	go io.WriteString(client, "MAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nMAIL FROM:<a@b>\r\nQUIT\r\n")
	b, _ := io.ReadAll(client)
	if codes(string(b)) != "220 250 452 503 250 221" || !strings.Contains(string(b), "(#4.3.1)") {
		t.Errorf("%q", b)
	}
}

func TestWhatIsRefusedIsLogged(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n", "rcpthosts": "ours.test\n", "badmailfrom": "@bad.test\n"},
		"LOGREFUSED=")
	var log bytes.Buffer
	s := w.server()
	s.Log = peerlog.Of(&log, "qmail-smtpd", w.env, 7)
	client, server := pair(t)
	go func() { s.Serve(server, server); server.Close() }()
	go io.WriteString(client, "NOOP\r\nMAIL FROM:<a b@c>\r\nRCPT TO:<x@far.test>\r\nRCPT TO:<x@ours.test>\r\n"+
		"MAIL FROM:<x@bad.test>\r\nRCPT TO:<y@ours.test>\r\nRCPT TO:<\x01>\r\nFOO\r\nQUIT\r\n")
	io.ReadAll(client)
	const head = "qmail-smtpd: 10.1.2.3 pid 7: "
	want := head + "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1) from <a_b@c> to <x@far.test>\n" +
		head + "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1) from <x@bad.test> to <y@ours.test>\n" +
		head + "555 syntax error (#5.5.4) from <x@bad.test>\n" +
		head + "session of 0 seconds: 0 accepted, 4 refused\n"
	if log.String() != want {
		t.Errorf("%s", log.String())
	}
}

func TestWhatIsAcceptedIsLoggedByTheNumberOfTheReply(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"}, "LOGREFUSED=")
	var log bytes.Buffer
	s := w.server()
	s.Log = peerlog.Of(&log, "qmail-smtpd", w.env, 7)
	client, server := pair(t)
	go func() { s.Serve(server, server); server.Close() }()
	go io.WriteString(client, "EHLO there\r\nMAIL FROM:<>\r\nRCPT TO:<x@m.test>\r\nRCPT TO:<y@m.test>\r\nDATA\r\n"+
		"Subject: x\r\nMESSAGE-id: <1 2@c>\r\n\r\nbody\r\n.\r\nQUIT\r\n")
	b, _ := io.ReadAll(client)
	_, reply, _ := strings.Cut(string(b), "250 ok 1")
	reply, _, _ = strings.Cut(reply, "\r\n")
	const head = "qmail-smtpd: 10.1.2.3 pid 7: "
	want := head + "250 ok 1" + reply + " from <> to <x@m.test> recipients <2> bytes <37> helo <there> id <1_2@c>\n" +
		head + "session of 0 seconds: 1 accepted, 0 refused helo <there>\n"
	if log.String() != want {
		t.Errorf("%s", log.String())
	}
	l, ok := peerlog.Parse(strings.TrimSuffix(strings.SplitAfter(log.String(), "\n")[0], "\n"))
	if !ok || l.Text != "250 ok 1"+reply || l.Get("id") != "1_2@c" || l.Get("bytes") != "37" {
		t.Errorf("%+v", l)
	}
}

// What takes the place of qmail-queue may be a script that looks at the envelope, and not for its end.
func TestARefusedMessageHasNoEnvelope(t *testing.T) {
	for _, text := range []string{strings.Repeat("Received: x\r\n", 100), strings.Repeat("x\r\n", 2000)} {
		for _, before := range []int{0, 100_000} { // held, and in pipes
			w := newWorld(t, map[string]string{"me": "m.test\n", "databytes": strconv.Itoa(before + 1500)})
			got, _ := w.say("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nX: " + strings.Repeat("x", before) + "\r\n" +
				text + "\r\n.\r\nQUIT\r\n")
			b, err := os.ReadFile(filepath.Join(w.queue, "aborted"))
			if !strings.Contains(got, "\r\n55") || err != nil || len(b) > 0 {
				t.Errorf("%q, envelope %q, %v", got, b, err)
			}
		}
	}
}

func TestBareLFInDataEndsTheSessionAndQueuesNothing(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	got, code := w.say("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\na\n.\r\n.\r\nQUIT\r\n")
	if envs, _ := w.queued(); codes(got) != "220 250 250 354 451" || code != 1 || len(envs) > 0 {
		t.Errorf("%q, %d, %q", got, code, envs)
	}
}

func TestAMessageThatIsNotWholeIsNotQueued(t *testing.T) {
	full := "Subject: x\r\n\r\nbody\r\n.\r\n"
	for n := range len(full) {
		w := newWorld(t, map[string]string{"me": "m.test\n"})
		_, code := w.say("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n" + full[:n])
		if envs, _ := w.queued(); len(envs) > 0 || code != 1 {
			t.Errorf("%q: %d, %q", full[:n], code, envs)
		}
	}
}

func TestTwoSessionsInOneProcessShareNothing(t *testing.T) {
	control := map[string]string{"me": "m.test\n", "rcpthosts": "ours.test\n"}
	w := newWorld(t, control, "RELAYCLIENT=.relay", "TCPREMOTEIP=10.0.0.1")
	base, in := w.server().Queue, crlf.NewReader(nil)
	serve := func(env []string, input string) string {
		client, server := pair(t)
		go func() { io.WriteString(client, input); client.CloseWrite() }()
		s := w.server()
		s.Env, s.Queue, s.In = env, base.With(env), in
		go func() { s.Serve(server, server); server.Close() }()
		b, _ := io.ReadAll(client)
		return string(b)
	}
	one := serve(w.env, "HELO first\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@far.test>\r\nQUIT\r\nMAIL FROM:<evil@b>\r\n"+
		"RCPT TO:<y@ours.test>\r\nDATA\r\nevil\r\n.\r\n")
	if codes(one) != "220 250 250 250 221" {
		t.Fatalf("first: %q", one)
	}
	var env []string
	for _, e := range w.env {
		if !strings.HasPrefix(e, "RELAYCLIENT=") && !strings.HasPrefix(e, "TCP") {
			env = append(env, e)
		}
	}
	env = append(env, "TCPREMOTEIP=10.0.0.2")
	two := serve(env, "RCPT TO:<y@ours.test>\r\nDATA\r\nMAIL FROM:<c@d>\r\nRCPT TO:<x@far.test>\r\n"+
		"RCPT TO:<y@ours.test>\r\nDATA\r\nok\r\n.\r\nQUIT\r\n")
	if codes(two) != "220 503 503 250 553 250 354 250 221" {
		t.Errorf("second: %q", two)
	}
	envs, texts := w.queued()
	if len(envs) != 1 || envs[0] != "Fc@d\x00Ty@ours.test\x00\x00" || strings.Contains(texts[0], "first") ||
		!strings.Contains(texts[0], "(10.0.0.2)") {
		t.Errorf("%q %q", envs, texts)
	}
	seen, _ := filepath.Glob(filepath.Join(w.queue, "seen.*"))
	if b, _ := os.ReadFile(seen[0]); string(b) != "10.0.0.2 false" {
		t.Errorf("qmail-queue saw %q", b)
	}
}

func TestRepliesToPipelinedCommandsGoOutTogether(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	client, server := pair(t)
	go func() { w.server().Serve(server, server); server.Close() }()
	buf := make([]byte, 4096)
	client.Read(buf)
	io.WriteString(client, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n")
	n, _ := client.Read(buf)
	if want := "250 ok\r\n250 ok\r\n250 ok\r\n354 go ahead\r\n"; string(buf[:n]) != want {
		t.Errorf("one read brought %q", buf[:n])
	}
}

func FuzzSession(f *testing.F) {
	f.Add("HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRSET\r\nVRFY\r\nQUIT\r\n")
	f.Add("MAIL FROM:<\"\\\x00@[1.2.3.4]>\nRCPT TO:@x:y z\n\n  \r\r\n")
	dir := f.TempDir()
	os.WriteFile(filepath.Join(dir, "me"), []byte("m.test\n"), 0o600)
	f.Fuzz(func(t *testing.T, input string) {
		var verbs strings.Builder // without DATA, which starts a process
		for _, l := range strings.SplitAfter(input, "\n") {
			if v, _, _ := strings.Cut(strings.TrimRight(l, "\r\n"), " "); !strings.EqualFold(v, "data") {
				verbs.WriteString(l)
			}
		}
		client, server, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		in, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		go func() { io.WriteString(write, verbs.String()); write.Close() }()
		go func() {
			queue := submit.NewIn("/", []string{"QMAILQUEUE=/nonexistent"}, nil)
			s := Server{Control: control.Dir(dir), Queue: queue, Now: time.Now}
			s.Serve(in, server)
			in.Close()
			server.Close()
		}()
		b, _ := io.ReadAll(client)
		client.Close()
		checkReplies(t, verbs.String(), string(b))
	})
}

// checkReplies compares with what must be true of any session without DATA: a reply for each line up to QUIT, and
// each is well formed.
func checkReplies(t *testing.T, input, replies string) {
	t.Helper()
	want := 1
	for _, l := range strings.SplitAfter(input, "\n") {
		if !strings.HasSuffix(l, "\n") {
			break
		}
		want++
		if v, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimSuffix(l, "\n"), "\r"), " "); strings.EqualFold(v, "quit") &&
			len(v) == 4 {
			break
		}
	}
	got := 0
	for _, l := range strings.SplitAfter(replies, "\r\n") {
		if l == "" {
			continue
		}
		if len(l) < 6 || l[3] != ' ' && l[3] != '-' || !strings.HasSuffix(l, "\r\n") {
			t.Fatalf("%q answered by %q", input, l)
		}
		if l[3] == ' ' {
			got++
		}
	}
	if got != want && len(input) < maxCommand {
		t.Errorf("%q: %d replies, want %d: %q", input, got, want, replies)
	}
}
