package milter

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"qmail/internal/submit/filter"
	"qmail/internal/text/rfc822"
)

const (
	ours    = "Received: from a.test (HELO h.test) (192.0.2.1)\n  by m.test with SMTP; 1 Jan 2026 00:00:00 -0000\n"
	message = ours + "From: joe@a.test\nSubject: one\n two\n\nbody\n.\n"
)

func mailOf(t testing.TB, text string) *filter.Message {
	t.Helper()
	m := &filter.Message{Sender: "joe@a.test", To: []string{"ann@m.test", "bob@m.test"}}
	t.Cleanup(m.Text.Close)
	if _, err := m.Text.ReadFrom(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return m
}

// serve answers each connection by fn, and returns a line for it.
func serve(t *testing.T, kind string, fn func(net.Conn)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fn(c)
			}()
		}
	}()
	return kind + ":" + path
}

// look returns what becomes of a message, and its text and envelope where it goes on.
func look(t *testing.T, m *filter.Message, lines ...string) (filter.Verdict, string) {
	t.Helper()
	var list []Server
	for _, l := range lines {
		s, ok := parse(l)
		if !ok {
			t.Fatalf("%q is no line", l)
		}
		list = append(list, s)
	}
	v := Look(list, m, time.Now())
	if v.Close != nil {
		t.Cleanup(v.Close)
	}
	if v.Refusal != nil || v.Discard {
		return v, ""
	}
	var b bytes.Buffer
	if err := v.Write(&b); err != nil {
		t.Fatal(err)
	}
	return v, b.String() + "F" + m.Sender + " T" + strings.Join(m.To, " T")
}

// A fake is a milter: it answers each command by what it has for it, or by c.
type fake struct {
	steps   uint32
	answers map[byte]string // packets, without their lengths, each ended by a bar
	said    chan string
}

func (f fake) serve(c net.Conn) {
	r, log := bufio.NewReader(c), ""
	for {
		code, data, err := readPacket(r)
		if err != nil || code == 'Q' {
			if f.said != nil {
				f.said <- log
			}
			return
		}
		log += string(code) + string(data) + "|"
		if code == 'O' {
			b := binary.BigEndian.AppendUint32(nil, version)
			b = binary.BigEndian.AppendUint32(b, mayAll)
			c.Write(appendPacket(nil, 'O', binary.BigEndian.AppendUint32(b, f.steps)))
			continue
		}
		if code == 'D' || code == 'L' && f.steps&silentField != 0 {
			continue
		}
		answer, ok := f.answers[code]
		if !ok {
			answer = "c|"
		}
		for p := range strings.SplitSeq(strings.TrimSuffix(answer, "|"), "|") {
			c.Write(appendPacket(nil, p[0], []byte(p[1:])))
		}
	}
}

func TestAMilterSeesTheMessageAsTheClientSentIt(t *testing.T) {
	f := fake{said: make(chan string, 1), steps: silentField}
	_, got := look(t, mailOf(t, message), serve(t, "unix", f.serve))
	if want := message + "Fjoe@a.test Tann@m.test Tbob@m.test"; got != want {
		t.Errorf("an unchanged message is %q", got)
	}
	log := <-f.said
	for _, want := range []string{"|Ca.test\x004\x00\x00192.0.2.1\x00|", "|Hh.test\x00|", "|M<joe@a.test>\x00|",
		"|R<bob@m.test>\x00|", "|LFrom\x00joe@a.test\x00|LSubject\x00one\n two\x00|", "|Bbody\r\n.\r\n|",
		"j\x00m.test\x00", "{client_addr}\x00192.0.2.1\x00"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in %q", want, log)
		}
	}
	if strings.Contains(log, "Received") {
		t.Errorf("our own field is shown: %q", log)
	}
}

func TestWhatAMilterChangesIsChanged(t *testing.T) {
	f := fake{answers: map[byte]string{'E': "p|hX-A\x001\n2\x00|i\x00\x00\x00\x00X-Top\x00t\x00|" +
		"m\x00\x00\x00\x01Subject\x00new\x00|m\x00\x00\x00\x01from\x00\x00|+<c@m.test>\x00|-<ann@m.test>\x00|" +
		"e<>\x00|bother\r|b\nline\r\n|c|"}}
	_, got := look(t, mailOf(t, message), serve(t, "unix", f.serve))
	want := "X-Top: t\n" + ours + "Subject: new\nX-A: 1\n\t2\n\nother\nline\nF Tbob@m.test Tc@m.test"
	if got != want {
		t.Errorf("%q", got)
	}
}

func TestWhatAMilterSaysOfAMessageIsDone(t *testing.T) {
	for at, c := range map[byte]struct{ answer, want string }{
		'C': {"r|", "sorry, refused by a content filter (#5.7.1)"},
		'M': {"t|", "sorry, a content filter asks you to come again (#4.7.1)"},
		'R': {"y550 5.7.9 no\x01\x00|", "no? (#5.7.9)"},
		'B': {"y451-a\r\n451 b\x00|", "a b (#4.7.1)"},
		'N': {"d|", "discarded"},
		'H': {"a|", "passed"},
		'E': {"qbad\x00|c|", "sorry, a content filter holds this message back (#4.7.1)"},
	} {
		f := fake{answers: map[byte]string{at: c.answer}}
		v, _ := look(t, mailOf(t, message), serve(t, "unix", f.serve))
		got := "passed"
		if v.Refusal != nil {
			got = v.Refusal.Error()
		} else if v.Discard {
			got = "discarded"
		}
		if got != c.want {
			t.Errorf("%c: %q, and not %q", at, got, c.want)
		}
	}
	f := fake{answers: map[byte]string{'E': "qbad\x00|c|"}}
	_, got := look(t, mailOf(t, message), serve(t, "unix", f.serve)+" quarantine=q@m.test")
	if want := "X-Quarantine: a content filter says: bad; to ann@m.test, bob@m.test\n" + message +
		"Fjoe@a.test Tq@m.test"; got != want {
		t.Errorf("%q", got)
	}
}

func TestAHostileMilterChangesNothing(t *testing.T) {
	const change = "hX-A\x001\x00|"
	long := strings.Repeat("y", 60000)
	for name, fn := range map[string]func(net.Conn){
		"closes":             func(net.Conn) {},
		"hangs":              func(c net.Conn) { io.Copy(io.Discard, c) },
		"is no milter":       func(c net.Conn) { io.WriteString(c, "220 hello there\r\n"); io.Copy(io.Discard, c) },
		"is too long":        func(c net.Conn) { c.Write([]byte{255, 255, 255, 255, 'O'}); io.Copy(io.Discard, c) },
		"changes early":      fake{answers: map[byte]string{'M': change + "c|"}}.serve,
		"closes after it":    fake{answers: map[byte]string{'E': change + "?|"}}.serve,
		"has a wrong reply":  fake{answers: map[byte]string{'E': change + "y250 ok\x00|"}}.serve,
		"ends the header":    fake{answers: map[byte]string{'E': "hX\nY\x001\x00|c|"}}.serve,
		"has no end of text": fake{answers: map[byte]string{'E': "+a|c|"}}.serve,
		"floods":             fake{answers: map[byte]string{'E': strings.Repeat("p|", maxAnswers+1)}}.serve,
		"floods the header":  fake{answers: map[byte]string{'E': strings.Repeat("hX\x00"+long+"\x00|", 10) + "c|"}}.serve,
		"makes a long body":  fake{answers: map[byte]string{'E': strings.Repeat("b"+long+"|", 20) + "c|"}}.serve,
	} {
		line := serve(t, "unix", fn) + " timeout=1"
		if v, _ := look(t, mailOf(t, message), line); v.Refusal == nil ||
			v.Refusal.Error() != "sorry, a content filter does not answer now (#4.3.0)" {
			t.Errorf("one that %s: %+v", name, v)
		}
		if _, got := look(t, mailOf(t, message), line+" accept"); got != message+"Fjoe@a.test Tann@m.test Tbob@m.test" {
			t.Errorf("one that %s makes %q", name, got)
		}
	}
}

func TestRspamdIsAsked(t *testing.T) {
	const again = "sorry, a content filter asks you to come again (#4.7.1)"
	for body, want := range map[string]string{
		`{"action":"no action"}`: message,
		`{"action":"add header","milter":{"add_headers":{"X-S":{"value":"1","order":0},"X-T":"2"},` +
			`"remove_headers":{"From":0}}}`: "X-S: 1\n" + ours + "Subject: one\n two\nX-T: 2\nX-Spam-Flag: YES\n\nbody\n.\n",
		`{"action":"rewrite subject","subject":"spam"}`: ours + "From: joe@a.test\nSubject: spam\n" +
			"X-Spam-Flag: YES\n\nbody\n.\n",
		`{"action":"reject","messages":{"smtp_message":"go away"}}`: "go away (#5.7.1)",
		`{"action":"greylist","messages":["x"]}`:                    again,
		`{"action":"dance"}`:                                        "sorry, a content filter does not answer now (#4.3.0)",
		`{`:                                                         "sorry, a content filter does not answer now (#4.3.0)",
	} {
		asked := make(chan string, 1)
		line := serve(t, "rspamd", func(c net.Conn) {
			b := make([]byte, 4096)
			got := ""
			for !strings.HasSuffix(got, "body\n.\n") {
				n, err := c.Read(b)
				if err != nil {
					break
				}
				got += string(b[:n])
			}
			asked <- got
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: x\r\n\r\n"+body)
		})
		v, got := look(t, mailOf(t, message), line)
		if v.Refusal != nil {
			got = v.Refusal.Error()
		}
		got, _, _ = strings.Cut(got, "Fjoe@")
		if got != want {
			t.Errorf("%s: %q", body, got)
		}
		q := <-asked
		for _, want := range []string{"\r\nIP: 192.0.2.1\r\n", "\r\nRcpt: <bob@m.test>\r\n", "\r\nFrom: <joe@a.test>\r\n",
			"\r\n\r\nFrom: joe@a.test\nSubject"} {
			if !strings.Contains(q, want) {
				t.Errorf("no %q in %q", want, q)
			}
		}
	}
}

func FuzzMilter(f *testing.F) {
	f.Add("p|hX\x00y\x00|c|", message)
	f.Add("b\r|b\n|m\x00\x00\x00\x01Subject\x00\x00|q\x00|a|", message)
	f.Fuzz(func(t *testing.T, answers, text string) {
		m, r := New(mailOf(t, text), "id")
		if r != nil {
			return
		}
		defer m.Close()
		b := binary.BigEndian.AppendUint32(nil, version)
		b = binary.BigEndian.AppendUint32(b, mayAll)
		b = appendPacket(nil, 'O', binary.BigEndian.AppendUint32(b, stepsAll|0x3f|noData|noEndOfHeader))
		for p := range strings.SplitSeq(answers, "|") {
			if p != "" {
				b = appendPacket(b, p[0], []byte(p[1:]))
			}
		}
		out, err := talk(struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(b), io.Discard}, m)
		if err != nil || out.refusal != nil || out.discard {
			return
		}
		defer out.mail.Close()
		var w bytes.Buffer
		out.mail.Write(&w)
		if out.mail.other != nil {
			return
		}
		if again := m.text.Head()[m.body:]; !bytes.HasSuffix(w.Bytes(), again) {
			t.Errorf("%q %q: the body is another: %q", answers, text, w.String())
		}
	})
}

func FuzzRspamd(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{\"action\":\"no action\"}")
	f.Add("HTTP/1.1 200 OK\r\n\r\n" +
		"{\"action\":\"add header\",\"milter\":{\"add_headers\":{\"X\":[\"a\\n\\nb\",{\"value\":\"c\"}]}}}")
	f.Fuzz(func(t *testing.T, answer string) {
		m, _ := New(mailOf(t, message), "id")
		b, err := answerOf(bufio.NewReader(strings.NewReader(answer)))
		if err != nil {
			return
		}
		if out, err := decide(b, m); err == nil {
			var w bytes.Buffer
			out.mail.Write(&w)
			head, _, _ := strings.Cut(w.String(), "\n\n")
			for _, l := range strings.Split(head, "\n") {
				if n, _, ok := rfc822.FieldName([]byte(l)); l != "" && l[0] != ' ' && l[0] != '\t' && (!ok || n == 0) {
					t.Errorf("%q makes the line %q", answer, l)
				}
			}
		}
	})
}
