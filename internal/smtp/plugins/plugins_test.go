package plugins

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"qmail/internal/dev/poll"
	"qmail/internal/site/control"
	"qmail/internal/smtp/smtpd"
	"qmail/internal/text/environ"
	"qmail/internal/text/peerlog"
)

// A site is a folder with control/smtpplugins and programs.
type site struct {
	t    *testing.T
	home string
	env  []string
	log  bytes.Buffer
}

func newSite(t *testing.T, config string, programs map[string]string) *site {
	t.Helper()
	s := &site{t: t, home: t.TempDir(), env: []string{"PATH=/bin:/usr/bin", "TCPREMOTEIP=192.0.2.1"}}
	if err := os.Mkdir(filepath.Join(s.home, "control"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write("control/smtpplugins", config, 0o600)
	for name, text := range programs {
		s.write(name, "#!/bin/sh\n"+text+"\n", 0o700)
	}
	return s
}

func (s *site) write(name, text string, mode os.FileMode) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.home, name), []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) open() *Plugins {
	s.t.Helper()
	log := peerlog.Of(&s.log, "p", append(s.env, "LOGREFUSED="), 7)
	p, err := Open(control.Dir(filepath.Join(s.home, "control")), s.env, s.home, log)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// rcpt asks about a recipient.
func (s *site) rcpt(p *Plugins, recipient string) smtpd.Advice {
	return p.Ask(smtpd.AtRcpt, &smtpd.Visit{Helo: "h", Sender: "a@b.test", Recipient: recipient, Hosted: true}, s.env)
}

func TestAPluginFindsWhatTheClientSaidAndItsPlaceIsTheHome(t *testing.T) {
	s := newSite(t, "before any section\n[connection]\n# none\n[unknown]\n:echo Eunknown\n[helo]\n:./say helo\n[auth]\n"+
		":./say auth\n[mail]\nsay\n[rcpt]\n:./say rcpt with arguments\n[data]\n:./say data\n", map[string]string{
		"say": `echo "P$1 $SMTPHELOHOST $SMTPMAILFROM $SMTPRCPTTO $SMTPRCPTCOUNT/$SMTPRCPTCOUNTALL $SMTPRCPTHOSTSOK` +
			` $SMTPAUTHUSER $SMTPAUTHMETHOD $TCPREMOTEIP"; cat; echo "from $SMTPHELOHOST" >&2`,
	})
	p := s.open()
	v := smtpd.Visit{
		Helo: "h\x00\r\ns", Sender: "a@b.test", Recipient: "c@d.test", User: "joe", Mechanism: "PLAIN", Count: 2, Named: 3,
	}
	for _, c := range []struct {
		stage smtpd.Stage
		want  string
	}{
		{smtpd.AtConnect, ""},
		{smtpd.AtHelo, "helo h___s   /  joe PLAIN 192.0.2.1"},
		{smtpd.AtLogin, "auth h___s   /  joe PLAIN 192.0.2.1"},
		{smtpd.AtMail, " h___s a@b.test  /  joe PLAIN 192.0.2.1"},
		{smtpd.AtRcpt, "rcpt h___s a@b.test c@d.test 2/3 0 joe PLAIN 192.0.2.1"},
		{smtpd.AtData, "data h___s a@b.test c@d.test 2/3 0 joe PLAIN 192.0.2.1"},
	} {
		if got := p.Ask(c.stage, &v, s.env); strings.Join(got.Lines, "|") != c.want || got.Reply != "" {
			t.Errorf("%v: %+v; want %q", c.stage, got, c.want)
		}
	}
	if want := "p: 192.0.2.1 pid 7: a plugin named <say> says <from_h___s>\n"; !strings.Contains(s.log.String(), want) {
		t.Errorf("the log: %s", s.log.String())
	}
}

func TestEachOrderDoesWhatItsLetterMeans(t *testing.T) {
	s := newSite(t, "[rcpt]\nfirst\nsecond\n", map[string]string{"first": `cat order`, "second": "echo Psecond"})
	for _, c := range []struct {
		orders string
		want   smtpd.Advice // But for Address, Lines and By
		second bool         // the next plugin is asked
	}{
		{"", smtpd.Advice{}, true},
		{"nonsense\n\nXtra\n", smtpd.Advice{}, true},
		{"N\nE553 not heard\n", smtpd.Advice{}, false},
		{"O\n", smtpd.Advice{Vouched: true}, false},
		{"A\n", smtpd.Advice{}, false},
		{"E553 no (#5.7.1)\n", smtpd.Advice{Reply: "553 no (#5.7.1)"}, false},
		{"E250 ok\n", smtpd.Advice{Reply: "451 250 ok"}, false},
		{"Eno\r\n", smtpd.Advice{Reply: "451 no"}, false},
		{"E550 " + strings.Repeat("x", 900) + "\n", smtpd.Advice{Reply: "550 " + strings.Repeat("x", maxText-4)}, false},
		{"E\n", smtpd.Advice{Reply: "451 not now (#4.3.0)"}, false},
		{"R554 go away\n", smtpd.Advice{Reply: "554 go away", End: true}, false},
		{"D\n", smtpd.Advice{End: true}, false},
		{"LR550 later\n", smtpd.Advice{Reply: "550 later"}, true},
		{"LD550 later\n", smtpd.Advice{}, true},
		{"Sx=y=z\nUPATH\n", smtpd.Advice{Env: []string{"TCPREMOTEIP=192.0.2.1", "x=y=z"}}, true},
	} {
		s.write("order", c.orders, 0o600)
		got := s.rcpt(s.open(), "c@d.test")
		if second := slices.Contains(got.Lines, "second"); got.Reply != c.want.Reply || got.End != c.want.End ||
			got.Vouched != c.want.Vouched || !slices.Equal(got.Env, c.want.Env) || second != c.second {
			t.Errorf("%q: %+v", c.orders, got)
		}
	}
	s.write("order", "Cnew@d.test\nP250-one\nP two\nP250\n", 0o600)
	got := s.rcpt(s.open(), "c@d.test")
	if got.Address != "new@d.test" || !slices.Equal(got.Lines, []string{"one", " two", "", "second"}) {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsSaidForLaterHoldsUntilItsStageComesAgain(t *testing.T) {
	s := newSite(t, "[connection]\n:echo HX-C: 1\n[helo]\n:cat helo\n[mail]\n:cat mail\n[rcpt]\n:cat rcpt\n", nil)
	say := func(helo, mail, rcpt string) {
		s.write("helo", helo, 0o600)
		s.write("mail", mail, 0o600)
		s.write("rcpt", rcpt, 0o600)
	}
	p := s.open()
	ask := func(stage smtpd.Stage, reply, header string) {
		t.Helper()
		a := p.Ask(stage, &smtpd.Visit{Recipient: "c@d.test"}, s.env)
		if a.Reply != reply || string(a.Header) != header {
			t.Errorf("%v: %+v", stage, a)
		}
	}
	ask(smtpd.AtConnect, "", "")
	say("LM550 m\nHX-H: 1\n", "HX-M: 1\n", "LD550 d\nHX-R: 1\n")
	ask(smtpd.AtHelo, "", "")
	ask(smtpd.AtMail, "550 m", "")
	say("", "", "HX-R: 2\n")
	ask(smtpd.AtMail, "550 m", "")
	ask(smtpd.AtRcpt, "", "")
	ask(smtpd.AtData, "", "X-C: 1\nX-H: 1\nX-R: 2\n")
	say("", "", "LD550 d\n")
	ask(smtpd.AtHelo, "", "")
	ask(smtpd.AtMail, "", "")
	ask(smtpd.AtRcpt, "", "")
	ask(smtpd.AtData, "550 d", "X-C: 1\n")
	say("", "", "A\n")
	ask(smtpd.AtRcpt, "", "") // which takes back what was said for later
	say("E550 h\n", "E550 m\n", "E550 r\n")
	ask(smtpd.AtData, "", "X-C: 1\n")
	ask(smtpd.AtHelo, "", "")
	ask(smtpd.AtMail, "", "")
}

func TestAPluginThatLiesHangsOrCrashesHasTheClientComeAgainAndTheLogTellsWhy(t *testing.T) {
	const gigabyte = "head -c 1000000000 /dev/zero | tr '\\0' A"
	s := newSite(t, "[rcpt]\nbad\n", nil)
	for program, why := range map[string]string{
		"":                         errStart.Error(), // is a folder
		"exit 120":                 errStart.Error(),
		"echo E553; kill -9 $$":    errCrash.Error(),
		"sleep 1000 & sleep 1000":  errTime.Error(),
		"exec >&-; sleep 1000":     errTime.Error(),
		gigabyte:                   errOutput.Error(),
		gigabyte + " >&2":          errTime.Error(), // which nobody reads
		"printf A":                 errNoEnd.Error(),
		"yes P":                    errOutput.Error(),
		`printf 'P%01000d\n' 1`:    errOutput.Error(),
		`printf 'E553 a\tb\033\n'`: errControl.Error(),
		`printf 'Ca\000b\n'`:       errControl.Error(),
		"echo Sx":                  errVar.Error(),
		"echo S=x":                 errVar.Error(),
		"echo Hno field":           errField.Error(),
		"echo 'H: no name'":        errField.Error(),
		"i=0; while test $i -lt 100; do printf 'H%0990d:\\n' $i; i=$((i+1)); done; echo D": errOutput.Error(),
	} {
		bad := filepath.Join(s.home, "bad")
		os.RemoveAll(bad)
		if program == "" {
			os.Mkdir(bad, 0o700)
		} else {
			s.write("bad", "#!/bin/sh\n"+program+"\n", 0o700)
		}
		p := s.open()
		p.within = 10 * time.Second
		if why == errTime.Error() {
			p.within = 200 * time.Millisecond
		}
		a := s.rcpt(p, "c@d.test")
		if a.Reply != "451 sorry, a plugin of mine cannot tell now (#4.3.0)" || a.By != "bad" || a.Because != why || a.End {
			t.Errorf("%q: %+v", program, a)
		}
	}
	if n := s.log.Len(); n > 1000 {
		t.Errorf("%d bytes in the log", n)
	}
	s.write("control/smtpplugins", "[rcpt]\n:no-such-program c\n", 0o600)
	if a := s.rcpt(s.open(), "c@d.test"); a.Because != errStart.Error() {
		t.Errorf("%+v", a)
	}
}

func TestWhatAPluginHasStartedEndsWithIt(t *testing.T) {
	s := newSite(t, "[rcpt]\nbad\n", map[string]string{"bad": "sleep 1000 &\necho $! >pid\nwait"})
	p := s.open()
	p.within = time.Second
	s.rcpt(p, "c@d.test")
	b, err := os.ReadFile(filepath.Join(s.home, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "what it has started ends", func() bool {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(b)) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

func TestWhatIsRememberedForPluginsIsBounded(t *testing.T) {
	s := newSite(t, "[rcpt]\n:i=0; while test $i -lt 70; do printf 'HX:%0900d\\n' $i; i=$((i+1)); done\n", nil)
	p := s.open()
	for range 2 {
		if a := s.rcpt(p, "c@d.test"); a.Reply != "" {
			t.Errorf("%+v", a)
		}
	}
	if a := s.rcpt(p, "c@d.test"); a.Because != errKept.Error() {
		t.Errorf("%+v", a)
	}
	if p.Ask(smtpd.AtMail, &smtpd.Visit{}, s.env); p.kept(nil) != 0 {
		t.Errorf("%d bytes are left for the next message", p.kept(nil))
	}
}

func TestWithoutPluginsThereIsNothingToAsk(t *testing.T) {
	s := newSite(t, "[rcpt]\n# none\n[nothing]\n/bin/false\n", nil)
	if p := s.open(); p != nil {
		t.Errorf("%+v", p)
	}
	s.write("control/smtpplugins", "[rcpt]\n/bin/false\n", 0o600)
	s.env = append(s.env, "NOSPP=")
	if p := s.open(); p != nil {
		t.Errorf("with NOSPP: %+v", p)
	}
	s.env = environ.With(s.env[:2], "SPPCONFFILE=control/other")
	dir := control.Dir(filepath.Join(s.home, "control"))
	if p, err := Open(dir, s.env, s.home, nil); p != nil || err == nil {
		t.Errorf("another file that is not there: %+v, %v", p, err)
	}
	s.write("control/other", "[rcpt]\n:echo E550 other\n", 0o600)
	if a := s.rcpt(s.open(), "c@d.test"); a.Reply != "550 other" {
		t.Errorf("another file: %+v", a)
	}
}

// FuzzOrders gives what a plugin may print; what is obeyed is one line, and remembered within bounds.
func FuzzOrders(f *testing.F) {
	f.Add([]byte("Cx@y\nHX-Y: z\nSa=b\nUa\nPhello\nLM550 a\nLR550 b\nLD550 c\nE553 no\n"), 3)
	f.Add([]byte("R\nD\nA\nN\nO\n"), 2)
	f.Fuzz(func(t *testing.T, output []byte, at int) {
		stage := smtpd.Stage(max(0, min(at, int(smtpd.AtLogin))))
		orders, err := read(output)
		if err != nil {
			return
		}
		var a smtpd.Advice
		p, env, next := new(Plugins), []string{"PATH=/bin"}, true
		for i := 0; next && err == nil && i < len(orders); i++ {
			next, err = p.obey(orders[i], stage, "x", &env, &a)
		}
		said := append(append([]string{a.Reply, a.Address}, a.Lines...), a.Env...)
		for _, l := range p.later {
			said = append(said, l.reply)
		}
		for _, l := range said {
			if strings.ContainsAny(l, "\r\n\x00") {
				t.Errorf("%q has more than one line", l)
			}
		}
		if a.Reply != "" && a.Reply[0] != '4' && a.Reply[0] != '5' {
			t.Errorf("%q refuses nothing", a.Reply)
		}
		if err == nil && p.kept(env) > maxKept {
			t.Errorf("%d bytes are remembered", p.kept(env))
		}
	})
}
