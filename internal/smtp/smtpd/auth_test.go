package smtpd

import (
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"qmail/internal/submit"
	"qmail/internal/sys"
)

// A book is a Login that knows joe's password, by PLAIN, and by ASK in two steps. DOWN cannot be asked.
type book struct{ cancelled int }

func (b *book) Mechanisms([]byte) []string { return []string{"PLAIN", "ASK", "DOWN"} }

func (b *book) Begin(mechanism string, initial, _ []byte) (Step, error) {
	switch {
	case mechanism == "DOWN":
		return Step{}, errors.New("nobody listens")
	case mechanism == "ASK":
		return Step{More: true, Challenge: []byte("who?")}, nil
	case initial == nil:
		return Step{More: true}, nil
	}
	return b.Continue(initial)
}

func (b *book) Continue(response []byte) (Step, error) {
	switch string(response) {
	case "\x00joe\x00pw":
		return Step{User: "joe"}, nil
	case "joe", "":
		return Step{More: true, Challenge: []byte("word?")}, nil
	case "pw":
		return Step{User: "joe"}, nil
	case "later":
		return Step{Temporary: true, Name: "joe"}, nil
	}
	return Step{Name: "joe"}, nil
}

func (b *book) Cancel() { b.cancelled++ }

// verbatim is a Letter that changes nothing, and refuses what has bad in it.
type verbatim struct {
	Output
	bad bool
}

func (v *verbatim) Write(b []byte) (int, error) {
	v.bad = v.bad || strings.Contains(string(b), "bad")
	return v.Output.Write(b)
}

func (v *verbatim) Close() string {
	if v.bad {
		return "550 not yours (#5.7.1)"
	}
	return ""
}

// forUsers returns a server for users.
func (w *world) forUsers() (Server, *book) {
	s, b := w.withTLS(false), new(book)
	s.Login = b
	s.Submission = &Submission{
		May:    func(user, address string) (bool, error) { return strings.HasPrefix(address, user), nil },
		Letter: func(_ string, _ func(string) (bool, error), out Output) Letter { return &verbatim{Output: out} },
	}
	return s, b
}

// enter returns a client whose TLS is on.
func (w *world) enter() (*guest, *book) {
	s, b := w.forUsers()
	g := visit(w.t, s)
	g.say("STARTTLS\r\n", "220", "220 2.0.0 ")
	g.encrypt()
	return g, b
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

const offered = "250-m.test\r\n250-PIPELINING\r\n250-AUTH PLAIN ASK DOWN\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"

func TestNobodySendsWithoutLoginNorLogsInWithoutTLS(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"}, "RELAYCLIENT=")
	s, _ := w.forUsers()
	g := visit(t, s)
	g.say("EHLO x\r\n", "220 m.test ESMTP",
		"250-m.test\r\n250-PIPELINING\r\n250-STARTTLS\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n")
	g.say("AUTH PLAIN "+b64("\x00joe\x00pw")+"\r\nMAIL FROM:<joe@b>\r\nSTARTTLS\r\n", "538 5.7.11 ", "530 5.7.0 ", "220")
	g.encrypt()
	g.say("MAIL FROM:<joe@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nEHLO x\r\n", "530 5.7.0 ", "503 5.5.1 ", "503", offered)
	g.say("AUTH PLAIN "+b64("\x00joe\x00pw")+"\r\nAUTH PLAIN\r\n", "235 2.7.0 ", "503 5.5.1 ")
	g.say("MAIL FROM:<eve@b> AUTH=joe\r\nRCPT TO:<c@d>\r\n", "550 5.7.1 ", "503")
	g.say("MAIL FROM:<joe@b> AUTH=<> SIZE=5\r\nRCPT TO:<c@d>\r\nDATA\r\n\r\nx\r\n.\r\n", "250 2.0.0 ok", "250", "354 go",
		"250 2.0.0 ok")
	g.say("MAIL FROM:<joe@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n\r\nbad\r\n.\r\nQUIT\r\n", "250", "250", "354", "550 5.7.1 ",
		"221 2.0.0 ")
	envs, texts := w.queued()
	if len(envs) != 1 || envs[0] != "Fjoe@b\x00Tc@d\x00\x00" || !strings.Contains(texts[0], "(joe@10.1.2.3)\n") ||
		!strings.Contains(texts[0], " with ESMTPSA (TLS_AES_128_GCM_SHA256, TLS1.3); ") {
		t.Errorf("%q %q", envs, texts)
	}
}

func TestALoginIsWhatRFC4954Says(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	ok := b64("\x00joe\x00pw")
	for _, c := range []struct {
		said string
		want []string
	}{
		{"AUTH\r\n", []string{"501 5.5.4 "}},
		{"AUTH X\r\n", []string{"504 5.5.4 "}},
		{"auth plain " + ok + "\r\nNOOP\r\n", []string{"235", "250"}},
		{"AUTH PLAIN\r\n" + ok + "\r\n", []string{"334 \r\n", "235"}},
		{"AUTH PLAIN =\r\n" + b64("pw") + "\r\n", []string{"334 d29yZD8=\r\n", "235"}},
		{"AUTH ASK\r\n" + b64("joe") + "\r\n" + b64("pw") + "\r\n", []string{"334 d2hvPw==\r\n", "334 d29yZD8=\r\n", "235"}},
		{"AUTH PLAIN " + b64("\x00joe\x00no") + "\r\n", []string{"535 5.7.8 "}},
		{"AUTH PLAIN\r\n*\r\nNOOP\r\n", []string{"334 ", "501 5.7.0 ", "250"}},
		{"AUTH PLAIN *\r\n", []string{"501 5.5.2 "}},
		{"AUTH PLAIN\r\n!\r\nNOOP\r\n", []string{"334 ", "501 5.5.2 ", "250"}},
		{"AUTH PLAIN " + ok + "x\r\n", []string{"501"}},
		{"AUTH PLAIN AA=\r\n", []string{"501"}}, {"AUTH PLAIN AB==\r\n", []string{"501"}},
		{"AUTH PLAIN AA==AA==\r\n", []string{"501"}}, {"AUTH PLAIN A A=\r\n", []string{"501"}},
		{"AUTH PLAIN " + ok + " x\r\n", []string{"501"}}, {"AUTH PLAIN " + ok + "\r\r\n", []string{"501"}},
		{"AUTH PLAIN " + strings.Repeat("AAAA", 4000) + "\r\nNOOP\r\n", []string{"500 5.5.6 ", "250"}},
		{"AUTH PLAIN\r\n" + strings.Repeat("AAAA", 4000) + "\r\nNOOP\r\n", []string{"334 ", "500 5.5.6 ", "250"}},
		{"AUTH DOWN\r\n", []string{"454 4.7.0 "}},
		{"AUTH PLAIN " + b64("later") + "\r\n", []string{"454 4.7.0 "}},
		{"AUTH PLAIN\r\n" + strings.Repeat(b64("joe")+"\r\n", maxSteps+1), append(repeat("334 ", maxSteps+1), "501")},
	} {
		g, b := w.enter()
		g.say(c.said, c.want...)
		g.say("QUIT\r\n", "221")
		if n := len(c.want); strings.HasPrefix(c.want[0], "334") && strings.HasPrefix(c.want[min(1, n-1)], "50") &&
			b.cancelled != 1 {
			t.Errorf("%.40q: given up %d times", c.said, b.cancelled)
		}
	}
}

func repeat(s string, n int) (list []string) {
	for range n {
		list = append(list, s)
	}
	return list
}

func TestALineWithoutEndInALoginEndsTheSession(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	g, _ := w.enter()
	g.say("AUTH PLAIN\r\n", "334 ")
	go io.WriteString(g.conn, strings.Repeat("A", 1<<20))
	if got := g.reply(); !strings.HasPrefix(got, "500 5.5.6 ") {
		t.Errorf("%q", got)
	}
	if <-g.done != ended {
		t.Error("it goes on")
	}
}

func TestASessionHasTenGuesses(t *testing.T) {
	w := newWorld(t, map[string]string{"me": "m.test\n"})
	g, _ := w.enter()
	for range maxLogins {
		g.say("AUTH PLAIN "+b64("no")+"\r\n", "535")
	}
	if got := g.reply(); !strings.HasPrefix(got, "421 4.7.0 ") || <-g.done != ended {
		t.Errorf("%q", got)
	}
}

func TestTheTraceHidesWhatItShall(t *testing.T) {
	for hide, want := range map[[2]bool]string{
		{true, false}: "Received: from unknown (HELO x) (10.1.2.3)\n", {true, true}: "Received: from unknown (unknown)\n",
	} {
		w := newWorld(t, map[string]string{"me": "m.test\n"})
		s, _ := w.forUsers()
		s.Submission.Hide, s.Submission.HideAddress = hide[0], hide[1]
		g := visit(t, s)
		g.say("STARTTLS\r\n", "220", "220")
		g.encrypt()
		g.say("EHLO x\r\nAUTH PLAIN "+b64("\x00joe\x00pw")+"\r\n"+strings.Replace(message, "a@b", "joe@b", 1)+"QUIT\r\n",
			"250", "235", "250", "250", "354", "250", "221")
		if _, texts := w.queued(); len(texts) != 1 || !strings.HasPrefix(texts[0], want) {
			t.Errorf("%v: %q", hide, texts)
		}
	}
}

// open is a Channel that hides nothing.
type open struct{ *sys.Dialogue }

func (open) Name() string            { return "none" }
func (open) MayRelay() (bool, error) { return false, nil }
func (open) End()                    {}

// FuzzLogin gives a session whose TLS is on what it likes.
func FuzzLogin(f *testing.F) {
	f.Add("AUTH PLAIN AGpvZQBwdw==\r\nMAIL FROM:<joe>\r\nQUIT\r\n")
	f.Add("AUTH ASK\r\nam9l\r\n*\r\nauth plain =\n\n")
	dir := f.TempDir()
	os.WriteFile(filepath.Join(dir, "me"), []byte("m.test\n"), 0o600)
	f.Fuzz(func(t *testing.T, input string) {
		if strings.Contains(strings.ToLower(input), "data") {
			return // it starts a process
		}
		w := &world{t: t, dir: dir, env: []string{"SMTPS=", "QMAILQUEUE=/nonexistent"}}
		s, _ := w.forUsers()
		s.Queue = submit.NewIn("/", w.env, nil)
		s.StartTLS = func() (Handshake, error) {
			return func(d *sys.Dialogue) (Channel, error) { return open{d}, nil }, nil
		}
		client, server := pair(t)
		go func() { s.Serve(server, server); server.Close() }()
		go func() { io.WriteString(client, input); client.CloseWrite() }()
		b, _ := io.ReadAll(client)
		for _, l := range strings.SplitAfter(string(b), "\r\n") {
			if l != "" && (len(l) < 6 || l[3] != ' ' && l[3] != '-' || !strings.HasSuffix(l, "\r\n")) {
				t.Fatalf("%q answered by %q", input, l)
			}
		}
	})
}

func TestAServerOfHostsHasLoginsByTLSOnlyUnlessToldOtherwise(t *testing.T) {
	const plain, offer = "250-m.test\r\n250-PIPELINING\r\n250-STARTTLS\r\n", "250-AUTH PLAIN ASK DOWN\r\n"
	login := "AUTH PLAIN " + b64("\x00joe\x00pw") + "\r\n"
	for _, c := range []struct {
		env, ehlo, reply string // before TLS
		protocol         string // empty: nobody can log in
	}{
		{"A=", plain, "538", "ESMTPSA (TLS_AES_128_GCM_SHA256, TLS1.3); "},
		{"FORCETLS=0", plain + offer, "235", "ESMTPA; "},
		{"SMTPAUTH=-", plain, "502", ""},
	} {
		w := newWorld(t, map[string]string{"me": "m.test\n", "rcpthosts": "m.test\n"}, c.env)
		s := w.withTLS(false)
		s.Login = new(book)
		g := visit(t, s)
		g.say("EHLO x\r\n"+login+"STARTTLS\r\n", "220", c.ehlo+"250 8BITMIME\r\n", c.reply)
		if c.reply == "235" {
			g.say("", "503") // who that is would be forgotten
		} else {
			g.say("", "220")
			g.encrypt()
			if c.protocol == "" {
				g.say("EHLO x\r\n"+login, "250-m.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n", "502")
				continue
			}
			g.say("EHLO x\r\nMAIL FROM:<x@b>\r\nRCPT TO:<c@far.test>\r\nRSET\r\n",
				"250-m.test\r\n250-PIPELINING\r\n"+offer+"250 8BITMIME\r\n", "250", "553", "250")
			g.say(login, "235")
		}
		g.say("MAIL FROM:<x@b>\r\nRCPT TO:<c@far.test>\r\nDATA\r\n\r\nx\r\n.\r\nQUIT\r\n", "250", "250", "354", "250", "221")
		envs, texts := w.queued()
		if len(envs) != 1 || envs[0] != "Fx@b\x00Tc@far.test\x00\x00" || !strings.Contains(texts[0], "(joe@10.1.2.3)\n") ||
			!strings.Contains(texts[0], " with "+c.protocol) {
			t.Errorf("%s: %q %q", c.env, envs, texts)
		}
	}
}

func TestAServerOfHostsMayWantALoginAndAUsersOwnSender(t *testing.T) {
	login := "AUTH PLAIN " + b64("\x00joe\x00pw") + "\r\n"
	for env, want := range map[string][]string{
		"A=":                 {"250", "250"},
		"REQUIREAUTH=":       {"530", "250"},
		"SMTPAUTH=!":         {"530", "250"},
		"SMTPAUTH=!cram":     {"530", "250"},
		"FORCEAUTHMAILFROM=": {"250", "550"},
	} {
		w := newWorld(t, map[string]string{"me": "m.test\n"}, "RELAYCLIENT=", "FORCETLS=0", env)
		s := w.server()
		s.Login = new(book)
		g := visit(t, s)
		g.say("MAIL FROM:<x@b>\r\nRSET\r\n", "220", want[0], "250")
		g.say(login+"MAIL FROM:<x@b>\r\nMAIL FROM:<joe>\r\nMAIL FROM:<>\r\nQUIT\r\n", "235", want[1], "250", "250", "221")
	}
	w := newWorld(t, map[string]string{"me": "m.test\n"}, "REQUIREAUTH=")
	visit(t, w.server()).say("AUTH PLAIN\r\nMAIL FROM:<x@b>\r\n", "220", "502", "530")
}
