package attack

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"qmail/conf"
	"qmail/internal/dev/poll"
)

// A far is a host of another domain, on this machine.
type far struct {
	offers string // what EHLO says besides
	mu     sync.Mutex
	busy   bool     // no recipient is taken for now
	asked  []string // MAIL and RCPT, as they came
}

// serve serves the host, and returns its address.
func (f *far) serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
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
			go f.session(c)
		}
	}()
	return l.Addr().String()
}

func (f *far) session(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(poll.Limit))
	io.WriteString(c, "220 far\r\n")
	inData := false
	for r := bufio.NewScanner(c); r.Scan(); {
		reply, verb := "250 ok\r\n", r.Text()[:min(4, len(r.Text()))]
		f.mu.Lock()
		switch {
		case inData && r.Text() != ".":
			reply = ""
		case inData:
			inData = false
		case verb == "EHLO":
			reply = "250-far\r\n" + f.offers + "250 8BITMIME\r\n"
		case verb == "MAIL", verb == "RCPT":
			f.asked = append(f.asked, r.Text())
			if verb == "RCPT" && f.busy {
				reply = "451 4.2.1 later\r\n"
			}
		case verb == "DATA":
			reply, inData = "354 go\r\n", true
		}
		f.mu.Unlock()
		io.WriteString(c, reply)
	}
}

// heard returns the commands that have a word.
func (f *far) heard(word string) (list []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.asked {
		if strings.Contains(a, word) {
			list = append(list, a)
		}
	}
	return list
}

// hand has the system take a message, whose MAIL and RCPT are these.
func (s *server) hand(commands ...string) {
	s.t.Helper()
	c, err := s.dial("127.0.0.1")
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(poll.Limit))
	io.WriteString(c, "EHLO c\r\n"+strings.Join(commands, "\r\n")+
		"\r\nDATA\r\nSubject: asked\r\n\r\nsecret\r\n.\r\nQUIT\r\n")
	b, err := io.ReadAll(c)
	if err != nil || !strings.Contains(string(b), "\r\n250-DSN\r\n") || !strings.Contains(string(b), " qp ") {
		s.t.Fatalf("%v %q", err, b)
	}
}

// reports returns those in orcjoe's Maildir.
func reports(t *testing.T) (list []string) {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(maildir(), "new/*"))
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(b))
	}
	return list
}

// ends returns the fields of the recipients of a report that have a name, sorted.
func ends(report, field string) string {
	var list []string
	for _, g := range strings.Split(report, "\n\n") {
		if _, to, ok := strings.Cut(g, "Final-Recipient: rfc822; "); ok {
			to, _, _ = strings.Cut(to, "\n")
			_, v, _ := strings.Cut("\n"+g, "\n"+field+": ")
			v, _, _ = strings.Cut(v, "\n")
			list = append(list, to+" "+v)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// emptied waits until all messages are done.
func emptied(t *testing.T) {
	t.Helper()
	poll.Until(t, "the queue is empty", func() bool {
		names, _ := filepath.Glob(filepath.Join(conf.Home(), "queue/mess/*/*"))
		return len(names) == 0
	})
}

// TestASenderIsToldWhatItAskedForOnceAndNobodyElseIsTold has clients ask for delivery status notifications of all
// kinds, also where there must be none.
func TestASenderIsToldWhatItAskedForOnceAndNobodyElseIsTold(t *testing.T) {
	if !inWorld(t) {
		return
	}
	makeMaildir(t, "orcjoe", "orcsam")
	knows, plain, late := &far{offers: "250-DSN\r\n"}, &far{}, &far{busy: true}
	control := filepath.Join(conf.Home(), "control")
	for name, text := range map[string]string{
		"extensions": "dsn\n", "queuewarn": "1\n",
		"smtproutes": "knows.test:" + knows.serve(t) + "\nplain.test:" + plain.serve(t) +
			"\nlate.test:" + late.serve(t) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(control, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t)
	hosts := []byte("m.test\nknows.test\nplain.test\nlate.test\n")
	if err := os.WriteFile(filepath.Join(control, "rcpthosts"), hosts, 0o644); err != nil {
		t.Fatal(err)
	}

	s.hand("MAIL FROM:<orcjoe@m.test> RET=HDRS ENVID=A+2B1",
		"RCPT TO:<orcsam@m.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;sam@old.test",
		"RCPT TO:<x@plain.test> NOTIFY=SUCCESS", "RCPT TO:<y@knows.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;y@old.test",
		"RCPT TO:<nobody-1@m.test>", "RCPT TO:<nobody-2@m.test> NOTIFY=NEVER", "RCPT TO:<nobody-3@m.test> NOTIFY=DELAY")
	poll.Until(t, "a report comes", func() bool { return len(reports(t)) > 0 })
	emptied(t)
	got := reports(t)
	const actions = "nobody-1@m.test failed, orcsam@m.test delivered, x@plain.test relayed"
	if len(got) != 1 || ends(got[0], "Action") != actions ||
		ends(got[0], "Original-Recipient") != "nobody-1@m.test , orcsam@m.test rfc822; sam@old.test, x@plain.test " ||
		!strings.Contains(got[0], "\nOriginal-Envelope-Id: A+1\n") || strings.Contains(got[0], "secret") ||
		!strings.HasPrefix(got[0], "Return-Path: <>\n") {
		t.Errorf("%q", got)
	}
	if a := knows.heard("="); len(a) != 2 || !strings.HasSuffix(a[0], "MAIL FROM:<orcjoe@m.test> RET=HDRS ENVID=A+2B1") ||
		a[1] != "RCPT TO:<y@knows.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;y@old.test" {
		t.Errorf("a host that offers it heard %q", a)
	}
	if a := plain.heard("="); len(a) > 0 {
		t.Errorf("a host that does not offer it heard %q", a)
	}

	s.hand("MAIL FROM:<orcjoe@m.test>", "RCPT TO:<nobody-2@m.test> NOTIFY=NEVER", "RCPT TO:<orcsam@m.test> NOTIFY=FAILURE")
	s.hand("MAIL FROM:<>", "RCPT TO:<orcsam@m.test> NOTIFY=SUCCESS,DELAY", "RCPT TO:<nobody-2@m.test> NOTIFY=NEVER")
	emptied(t)
	s.hand("MAIL FROM:<orcjoe@m.test>", "RCPT TO:<z@late.test> NOTIFY=DELAY")
	poll.Until(t, "a delay is told", func() bool {
		exec.Command(filepath.Join(conf.Home(), "bin/qmail-run")).Run()
		return len(reports(t)) > 1
	})
	before := len(late.heard("RCPT"))
	poll.Until(t, "it is tried again, twice", func() bool {
		exec.Command(filepath.Join(conf.Home(), "bin/qmail-run")).Run()
		return len(late.heard("RCPT")) > before+1
	})
	late.mu.Lock()
	late.busy = false
	late.mu.Unlock()
	poll.Until(t, "it is delivered", func() bool {
		exec.Command(filepath.Join(conf.Home(), "bin/qmail-run")).Run()
		names, _ := filepath.Glob(filepath.Join(conf.Home(), "queue/mess/*/*"))
		return len(names) == 0
	})
	told := slices.DeleteFunc(reports(t), func(r string) bool { return r == got[0] })
	if len(told) != 1 || ends(told[0], "Action") != "z@late.test delayed" || strings.Contains(told[0], "secret") {
		t.Errorf("%q", told)
	}
}
